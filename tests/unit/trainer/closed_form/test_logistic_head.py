"""The head on kept vectors: a function of the set of items, and better than the sums alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from services.trainer.closed_form import logistic_head
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.closed_form.statistics import build_head

LABELS = ("billing", "bug", "praise")
HIDDEN = 8


def made(count: int, seed: int, weight: float = 1.0) -> list[LearntItem]:
    """Items of three clouds; every fifth item of one lies far out, and moves its mean with it."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.eye(len(LABELS), HIDDEN) * 4.0
    items = []
    for number in range(count):
        place = number % len(LABELS)
        far = 10.0 if place == 0 and number % 5 == 0 else 1.0
        vector = far * centres[place] + torch.randn(HIDDEN, generator=generator)
        name = f"{seed}-{number}"
        items.append(LearntItem(name, LABELS[place], weight, vector, (name,)))
    return items


def state_of(items: Sequence[LearntItem]) -> ClosedFormState:
    return ClosedFormState.empty(HIDDEN).learn(items)


def assert_equal(one: nn.Linear, other: nn.Linear) -> None:
    torch.testing.assert_close(one.weight, other.weight, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(one.bias, other.bias, rtol=1e-5, atol=1e-5)


def right(head: nn.Linear, items: Sequence[LearntItem]) -> int:
    answers = head(torch.stack([item.vector_H for item in items])).argmax(1).tolist()
    return sum(LABELS[a] == item.target for a, item in zip(answers, items, strict=True))


@settings(max_examples=20)
@given(st.integers(1, 59), st.integers(0, 99), st.randoms())
def test_order_and_windows_do_not_matter(cut: int, seed: int, random: object) -> None:
    items = made(60, seed)
    mixed = sorted(items, key=lambda _: random.random())  # type: ignore[attr-defined]

    windows = state_of(mixed[:cut]).learn(mixed[cut:])

    assert_equal(fit_head(windows, LABELS), fit_head(state_of(items), LABELS))


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 99))
def test_without_removed_items_it_is_the_fit_that_never_had_them(removed: int, seed: int) -> None:
    items = made(60, seed)
    gone = {name for item in items[:removed] for name in item.ids}

    left = state_of(items).unlearn(gone)

    assert_equal(fit_head(left, LABELS), fit_head(state_of(items[removed:]), LABELS))


def test_it_is_right_more_often_than_the_discriminant_where_a_mean_misleads() -> None:
    train, test = state_of(made(300, seed=1)), made(3_000, seed=2)

    ours, sums = fit_head(train, LABELS), build_head(train.statistics, LABELS)

    assert right(ours, test) > right(sums, test)


def test_a_label_with_many_items_does_not_crowd_out_one_with_few() -> None:
    few = [item for item in made(60, seed=3) if item.target == "praise"][:5]
    many = [item for item in made(600, seed=4) if item.target != "praise"]
    doubled = [replace(item, weight=item.weight * 7) for item in few]

    assert_equal(fit_head(state_of([*many, *few]), LABELS), _balanced(many, few, doubled))


def _balanced(
    many: Sequence[LearntItem], few: Sequence[LearntItem], doubled: Sequence[LearntItem]
) -> nn.Linear:
    """The head where the few weigh seven times as much, in the same whitened space."""
    sums, heavy = state_of([*many, *few]).statistics, state_of([*many, *doubled])
    items = [item for _, item in sorted(heavy.items.items())]
    weight, bias = logistic_head._fit(sums, items, LABELS)
    head = nn.Linear(HIDDEN, len(LABELS))
    head.weight.data, head.bias.data = weight, bias
    return head


@pytest.mark.parametrize("reason", ["sums alone", "too much work", "one label"])
def test_otherwise_it_is_the_head_of_the_sums(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state, labels = state_of(made(30, seed=5)), LABELS
    if reason == "sums alone":
        state = ClosedFormState(state.statistics, dict(list(state.items.items())[1:]))
    elif reason == "too much work":
        monkeypatch.setattr(logistic_head, "MAXIMUM_WORK", 89)
    else:
        labels = LABELS[:1]

    assert_equal(fit_head(state, labels), build_head(state.statistics, labels))


def test_equal_vectors_of_all_labels_are_fitted_without_a_number_that_is_none() -> None:
    items = [LearntItem(label, label, 1.0, torch.ones(HIDDEN)) for label in LABELS]

    head = fit_head(state_of(items), LABELS)

    assert torch.isfinite(head.weight).all()
    assert torch.isfinite(head.bias).all()


def test_the_whitening_of_many_items_counts_as_work_where_labels_are_few() -> None:
    wide = 3_000  # squared, ten times what 20,000 items of MiniLM's two layers cost

    assert logistic_head._work(20_000, 2, wide) > logistic_head.MAXIMUM_WORK
    assert logistic_head._work(20_000, 2, 768) <= logistic_head.MAXIMUM_WORK
    # Of many labels the work is that of the steps, as before.
    assert logistic_head._work(10_000, 150, 768) <= logistic_head.MAXIMUM_WORK
