"""Labels as they should not be: what is learnt all the same, and what is said of the rest."""

from typing import Any

from archon_contracts.formats import REPLAY, Split, TrainingItem
from archon_contracts.values import AgentKind
from services.data_prep.domain import (
    PreparationPolicy,
    PreparedDataset,
    RejectedDataset,
    Targets,
)
from services.data_prep.pipeline import prepare
from services.data_prep.sampling.replay_buffer import select_retained
from tests.support.data.datasets import REF, item, preparation_inputs, prepare_dataset, record

LABELS = ("refund", "status", "loan", "card", "limit", "branch")


def prepared(records: list[TrainingItem], **fields: Any) -> PreparedDataset | RejectedDataset:
    """The dataset of a classifier with these labels and a suite."""
    values: dict[str, Any] = {"evaluation_suite": REF}
    memory = fields.pop("memory", ())
    command = prepare_dataset(kind=AgentKind.CLASSIFIER, labels=LABELS, **(values | fields))
    inputs = preparation_inputs(
        records, command=command, targets=Targets(frozenset(LABELS)), memory=memory
    )
    return prepare(inputs, PreparationPolicy())


def test_a_label_that_differs_by_case_is_no_label_and_is_said_to_be_none() -> None:
    found = prepared([record("my money back", target="Refund")])

    assert isinstance(found, RejectedDataset)
    assert found.reason.endswith("1 target is no answer of the agent")


def test_the_other_items_of_a_window_with_a_renamed_label_are_learnt() -> None:
    records = [record("my money back", target="REFUND"), record("where is it", target="status")]

    found = prepared(records)

    assert isinstance(found, PreparedDataset)
    assert found.unusable == {"target is no answer of the agent": 1}
    assert [graded.item.target for graded in found.splits[Split.TRAIN]] == ["status"]


def test_the_only_example_of_a_new_label_is_trained_on() -> None:
    """Kept for validation or for a test, it would teach nothing."""
    known = [record(f"where is parcel {n * 7919}", target="status") for n in range(30)]

    for suite in (REF, None):
        found = prepared([*known, record("lend me money", target="loan")], evaluation_suite=suite)

        assert isinstance(found, PreparedDataset)
        trained = {graded.item.target for graded in found.splits[Split.TRAIN]}
        assert trained == {"status", "loan"}


def test_a_memory_smaller_than_the_labels_holds_no_label_twice_and_is_replayed() -> None:
    memory = [item(f"{label} number {n * 7919}", label) for label in LABELS for n in range(3)]
    kept = select_retained(memory, 4)
    assert len({each.target for each in kept}) == 4
    plan = prepare_dataset().plan.model_copy(update={"replay_ratio": 1.0})
    new = [record(f"a question about sums {n * 6007}", target="refund") for n in range(8)]

    found = prepared(new, memory=kept, plan=plan)

    assert isinstance(found, PreparedDataset)
    train = [graded.item for graded in found.splits[Split.TRAIN]]
    assert len([each for each in train if each.source == REPLAY]) == 4
