"""Uploaded and generated items are those that training and evaluation read, on the same bytes."""

from pathlib import Path

from archon_contracts.commands import SourceKind
from archon_contracts.formats import ITEMS_FILE, PredictionRow, SuiteItem, read_jsonl, to_jsonl
from archon_contracts.values import AgentKind
from archon_inference.prediction import Prediction
from services.data_prep.sources.records import read_source, read_suite
from services.evaluator.child import read_suite as read_evaluation_suite
from services.evaluator.child import score_predictions
from services.evaluator.domain import find_items_file
from services.gateway.datasets import items_file
from services.synthetic_generator.datasets import build_files, read_samples
from services.synthetic_generator.domain import Sample
from services.synthetic_generator.generation import generate
from tests.support.data.synthetic_generator import EXAMPLES, generation_request

UPLOAD = [
    {"input": "where?", "target": "here", "group": "old"},
    {"id": "x", "input": {"b": 1}, "target": "t"},
]


def test_an_uploaded_suite_is_read_by_evaluator_and_data_preparation(tmp_path: Path) -> None:
    (tmp_path / ITEMS_FILE).write_bytes(items_file(UPLOAD)[ITEMS_FILE])

    evaluated = read_evaluation_suite(find_items_file(tmp_path))
    kept_out = list(read_suite((tmp_path / ITEMS_FILE).read_bytes().splitlines()))

    assert evaluated == kept_out
    assert evaluated == [
        SuiteItem(id="0", input="where?", target="here", group="old"),
        SuiteItem(id="x", input='{"b":1}', target="t"),
    ]


def test_an_uploaded_dataset_is_read_by_data_preparation_and_the_generator() -> None:
    lines = items_file(UPLOAD)[ITEMS_FILE].splitlines()

    records = read_source(lines, SourceKind.EXTERNAL).records

    assert [(r.id, r.input, r.target) for r in records] == [
        ("0", "where?", "here"),
        ("x", '{"b":1}', "t"),
    ]
    assert read_samples(lines) == [Sample("where?", "here"), Sample('{"b":1}', "t")]


def test_the_gate_reads_the_rows_that_the_evaluator_writes(tmp_path: Path) -> None:
    items = [SuiteItem(id="1", input="q", target="a", group="g"), SuiteItem(id="2", input="r")]
    answers = [Prediction("b", 0.6, ("a",)), Prediction("c", 0.5, ())]

    path = tmp_path / "rows.jsonl"
    path.write_bytes(to_jsonl(score_predictions(items, answers, AgentKind.SELECTOR, [0.1])))
    rows = list(read_jsonl(path, PredictionRow))

    assert rows == [
        PredictionRow(
            id="1", group="g", skill="single_step_problems", task_type="single_step_problems",
            target="a", output="b", score=0.6, alternatives=("a",),
            correct=False, correct_at_k=True, latency_seconds=0.1,
        ),
        PredictionRow(
            id="2", skill="single_step_problems", task_type="single_step_problems", output="c",
            score=0.5,
        ),
    ]  # fmt: skip


def test_data_preparation_reads_what_the_generator_makes() -> None:
    request = generation_request()

    lines = build_files(request, generate(request, EXAMPLES))[ITEMS_FILE].splitlines()
    source = read_source(lines, SourceKind.SYNTHETIC)

    assert (source.received, source.unreadable) == (len(lines), {})
    assert {(item.source, item.skill) for item in source.records} == {
        ("synthetic", request.scenario_type)
    }
