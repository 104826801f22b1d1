"""Items that one service writes are those that the next one reads, on the same bytes."""

from dataclasses import replace
from uuid import UUID

from archon_contracts.commands import SourceKind
from archon_contracts.events import AnnotationSubmitted
from archon_contracts.formats import SuiteItem, TrainingItem, parse_line
from archon_contracts.values import AgentKind
from services.coordinator.feedback.records import ANNOTATION
from services.coordinator.retraining.window_export import (
    StoredFeedback,
    annotation_lines,
    feedback_lines,
)
from services.data_prep.cleaning.cleaning import to_item
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import prepare
from services.data_prep.sources.records import read_source
from tests.support.coordinator.coordinator import feedback
from tests.support.data.datasets import REF, preparation_inputs, prepare_dataset, record
from tests.support.messaging.messages import NOON


def stored_feedback(**fields: object) -> StoredFeedback:
    body = feedback("i1", **fields)
    return StoredFeedback(
        UUID(int=1), body.source, getattr(body, "rating", None), NOON, body.to_bytes()
    )


def stored_annotation(annotator_id: str, label: str) -> StoredFeedback:
    body = AnnotationSubmitted(
        agent_id="picker", item_id="x", annotator_id=annotator_id, input="where?", label=label
    )
    return StoredFeedback(UUID(int=2), ANNOTATION, None, NOON, body.to_bytes())


def test_data_preparation_reads_what_the_coordinator_exports() -> None:
    window = feedback_lines([stored_feedback(unit_id="ann", rating=2, model_version="1.2.0")])

    (item,) = read_source(window.content.splitlines(), SourceKind.FEEDBACK).records

    assert (item.id, item.target, item.actual) == (str(UUID(int=1)), "right", "wrong")
    assert (item.unit, item.rating, item.model_version) == ("ann", 2.0, "1.2.0")
    assert (item.source, item.feedback_source, item.occurred_at) == ("feedback", "user", NOON)


def test_data_preparation_agrees_on_the_labels_that_the_coordinator_exports() -> None:
    labels = [
        stored_annotation(name, label) for name, label in (("a", "x"), ("b", "y"), ("b", "x"))
    ]

    window = annotation_lines(labels)
    (record,) = read_source(window.content.splitlines(), SourceKind.HUMAN).records
    item = to_item(record, Targets())

    assert isinstance(item, Item)
    assert (item.target, item.annotators) == ("x", ("a", "b"))


def test_a_prepared_dataset_is_read_by_trainer_and_evaluator() -> None:
    found = [record(f"question {n * 7919}", id=f"f{n}", target="b", actual="a") for n in range(20)]
    command = prepare_dataset()
    prepared = prepare(preparation_inputs(found, command=command), PreparationPolicy())
    assert isinstance(prepared, PreparedDataset)

    files = build_files(command, prepared, PreparationPolicy())
    train = [parse_line(line, TrainingItem) for line in files["train.jsonl"].splitlines()]
    test = [parse_line(line, SuiteItem) for line in files["test.jsonl"].splitlines()]

    assert {(item.target, item.rejected) for item in train} == {("b", ("a",))}
    assert {item.target for item in test} == {"b"}


def test_the_trainer_reads_what_behaviour_said_of_the_answers() -> None:
    shown = stored_feedback(expected=None, actual="used", shown=["used", "left", "gone"])
    undone = stored_feedback(
        input="undo", expected=None, signals=[{"kind": "undone", "after_seconds": 1}]
    )
    undone = replace(undone, event_id=UUID(int=3))
    window = feedback_lines([shown, undone])
    records = read_source(window.content.splitlines(), SourceKind.FEEDBACK).records
    command = prepare_dataset(kind=AgentKind.SELECTOR, evaluation_suite=REF)
    known = Targets(frozenset({"used", "left", "wrong"}))

    prepared = prepare(
        preparation_inputs(records, command=command, targets=known), PreparationPolicy()
    )
    assert isinstance(prepared, PreparedDataset)
    negatives = build_files(command, prepared, PreparationPolicy())["negatives.jsonl"]

    items = [parse_line(line, TrainingItem) for line in negatives.splitlines()]
    assert {(item.input, item.rejected, item.weight) for item in items} == {
        ("what of i1?", ("left",), 0.25),
        ("undo", ("wrong",), 0.25),
    }
