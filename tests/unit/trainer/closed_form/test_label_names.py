"""Names of labels as examples: what they are worth, and that nothing else changes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from services.trainer.closed_form.label_names import (
    embed_names,
    measure_belief,
    name_items,
    text_of_label,
)
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    LearntItem,
    load_state,
    save_state,
)
from services.trainer.closed_form.logistic_head import fit_head

HIDDEN = 16
LABELS = tuple(f"label_{n}" for n in range(6))
CENTRES = {
    label: centre
    for label, centre in zip(
        LABELS, torch.randn(6, HIDDEN, generator=torch.Generator().manual_seed(0)), strict=True
    )
}


def cloud(label: str, count: int, seed: int) -> torch.Tensor:
    noise = torch.randn(count, HIDDEN, generator=torch.Generator().manual_seed(seed))
    return CENTRES[label] + 1.2 * noise


def items_of(count: int) -> list[LearntItem]:
    return [
        LearntItem(f"{label} {n}", label, 1.0, vector, (f"{label}-{n}",))
        for place, label in enumerate(LABELS)
        for n, vector in enumerate(cloud(label, count, place))
    ]


def names_of(labels: tuple[str, ...] = LABELS) -> dict[str, torch.Tensor]:
    return {label: CENTRES[label] + 0.1 for label in labels}


def state_of(items: list[LearntItem]) -> ClosedFormState:
    return ClosedFormState.empty(HIDDEN).learn(items)


def accuracy(state: ClosedFormState) -> float:
    head = fit_head(state, LABELS)
    right = [
        (head(cloud(label, 50, 100 + place)).argmax(1) == place).float().mean()
        for place, label in enumerate(LABELS)
    ]
    return float(torch.stack(right).mean())


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("book_flight", "book flight"),
        ("bookFlight", "book flight"),
        ("Book-Flight.now", "book flight now"),
        ("A17", "a17"),
        ("订票", "订票"),
        ("🙂", "🙂"),
    ],
)
def test_the_words_of_a_label(label: str, text: str) -> None:
    assert text_of_label(label) == text


def test_names_are_worth_examples_where_there_are_few() -> None:
    state = state_of(items_of(1))

    assert accuracy(replace(state, names=names_of())) > accuracy(state) + 0.05


def test_names_that_say_something_else_are_not_believed() -> None:
    state = state_of(items_of(3))
    moved = [*LABELS[1:], LABELS[0]]
    wrong = {label: CENTRES[other] for label, other in zip(LABELS, moved, strict=True)}
    vectors = torch.stack([wrong[label] for label in LABELS])

    assert measure_belief(state.statistics, LABELS, vectors) == 0.0
    plain, named = fit_head(state, LABELS), fit_head(replace(state, names=wrong), LABELS)
    assert torch.equal(plain.weight, named.weight)


def test_a_label_is_not_known_by_its_name_alone() -> None:
    state = replace(state_of(items_of(2)), names={**names_of(), "another": torch.ones(HIDDEN)})

    assert state.statistics.known((*LABELS, "another")) == LABELS


@pytest.mark.parametrize("missing", [LABELS[:1], LABELS])
def test_a_version_without_all_names_does_without(missing: tuple[str, ...]) -> None:
    names = {label: v for label, v in names_of().items() if label not in missing}

    assert name_items(replace(state_of(items_of(2)), names=names), LABELS) == []


def test_a_head_without_items_is_the_one_that_never_had_them() -> None:
    items = items_of(4)
    whole = replace(state_of(items), names=names_of())
    left = whole.unlearn({name for item in items[::4] for name in item.ids})
    never = replace(state_of([item for n, item in enumerate(items) if n % 4]), names=names_of())

    assert left.names.keys() == never.names.keys()
    assert torch.allclose(fit_head(left, LABELS).weight, fit_head(never, LABELS).weight, atol=1e-4)


def test_names_are_embedded_once_and_kept_with_the_version(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> torch.Tensor:
        asked.append(texts)
        return torch.ones(len(texts), HIDDEN)

    first = embed_names(state_of(items_of(1)), LABELS[:4], embed)
    save_state(first, tmp_path)
    loaded = load_state(tmp_path)
    assert loaded is not None
    embed_names(embed_names(loaded, LABELS, embed), LABELS, embed)

    assert asked == [
        ["label 0", "label 1", "label 2", "label 3"],
        ["label 4", "label 5"],
    ]
    assert loaded.items.keys() == first.items.keys()
