"""What is held out of a window that brings labels which the agent's suite does not ask."""

from dataclasses import replace
from hashlib import blake2b

import pytest

from archon_contracts.formats import Split
from archon_contracts.values import AgentKind
from services.data_prep.domain import PreparationPolicy, PreparedDataset
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.text import normalise_input
from tests.support.data.datasets import REF, item, preparation_inputs, prepare_dataset, record

POLICY = PreparationPolicy()


def window_of_labels(
    kind: AgentKind = AgentKind.CLASSIFIER, *, fast_path: bool = False
) -> PreparationInputs:
    """Twenty items of each of two labels, beside a suite that asks for one of them."""
    rows = [
        record(f"{label} {n} {hash_of(label, n)}", target=label, unit=f"{label}-{n}")
        for label in ("known", "new")
        for n in range(20)
    ]
    return preparation_inputs(
        rows,
        command=prepare_dataset(kind=kind, evaluation_suite=REF, fast_path=fast_path),
        held_out={"asked": frozenset({"known"})},
        reference=[item("a new text of old", "new"), item("a known text of old", "known")],
    )


def hash_of(label: str, n: int) -> str:
    """Letters that no two items share."""
    return blake2b(f"{label}{n}".encode(), digest_size=12).hexdigest()


def test_beside_a_suite_only_labels_that_it_does_not_ask_are_held_out() -> None:
    prepared = prepare(window_of_labels(), POLICY)

    assert isinstance(prepared, PreparedDataset)
    targets = {name: {g.item.target for g in part} for name, part in prepared.splits.items()}
    assert (targets[Split.TEST], targets[Split.TRAIN]) == ({"new"}, {"known", "new"})
    assert len(prepared.splits[Split.TEST]) == 3
    assert {each.target for each in prepared.reference_candidates} == {"new"}
    # What entered earlier is asked again; what the suite asks by now is its matter.
    assert [each.target for each in prepared.reference] == ["new"]


def test_what_is_asked_of_a_new_label_is_never_trained_on() -> None:
    inputs = window_of_labels()
    asked = inputs.parsed_sources[0].records[-1]
    text = normalise_input(str(asked.input))

    prepared = prepare(replace(inputs, reference=[item(text, "new")]), POLICY)

    assert isinstance(prepared, PreparedDataset)
    assert text not in {g.item.key for part in prepared.splits.values() for g in part}
    assert prepared.quality.held_out == 1


@pytest.mark.parametrize(("kind", "fast_path"), [("selector", False), ("classifier", True)])
def test_neither_tools_nor_updates_are_held_out_beside_a_suite(kind: str, fast_path: bool) -> None:
    prepared = prepare(window_of_labels(AgentKind(kind), fast_path=fast_path), POLICY)

    assert isinstance(prepared, PreparedDataset)
    assert prepared.splits[Split.TEST] == ()
