from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.commands import RunSummary
from archon_contracts.formats import (
    CHANGES_FILE,
    EvaluationChanges,
    PredictionRow,
    SuiteItem,
    predictions_file,
    read_jsonl,
)
from archon_contracts.values import (
    NEW_LABEL_PREFIX,
    REFERENCE_ITEMS,
    GatePolicy,
    TrainingMethod,
)
from services.evaluator.child import ENTRY, count_once, read_exam, run, score_models
from services.evaluator.comparison.paired_tests import compare
from services.evaluator.errors import EmptySuite
from services.trainer.child import run as train
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import items, run_spec, write_lines


def _trained(root: Path, kind: str, **config: Any) -> Path:
    base = tiny_encoder(root / "baseline")
    return Path(train(run_spec(root, base, kind=kind, **config), lambda event: None)["model_dir"])


def _spec(root: Path, kind: str, **models: Path | str | None) -> dict[str, Any]:
    rows = [row | {"group": "old" if n % 2 else "new"} for n, row in enumerate(items())]
    suite = write_lines(root / "items.jsonl", [*rows, {"id": "open", "input": "what is it"}])
    return {
        "models": {name: str(place) if place else None for name, place in models.items()},
        "kind": kind,
        "items": str(suite),
        "output_dir": str(root / "scores"),
        "threads": 1,
        "control": "baseline",
        "gate": GatePolicy().model_dump(mode="json"),
    }


def _rows(spec: dict[str, Any], role: str) -> list[PredictionRow]:
    return list(read_jsonl(Path(spec["output_dir"]) / predictions_file(role), PredictionRow))


@pytest.mark.parametrize("kind", ["selector", "classifier"])
def test_candidate_deployed_and_base_model_answer_the_same_items(tmp_path: Path, kind: str) -> None:
    candidate = _trained(tmp_path / "candidate", kind, epochs=12)
    deployed = _trained(tmp_path / "deployed", kind, epochs=1)
    base = (tmp_path / "candidate" / "baseline").as_uri()
    reports: list[dict[str, Any]] = []

    spec = _spec(tmp_path, kind, candidate=candidate, deployed=deployed, baseline=base)

    report = run(spec, reports.append)["report"]

    assert [report["model"] for report in reports] == ["candidate", "deployed", "baseline"]
    scored = {role: _rows(spec, role) for role in ("candidate", "deployed", "baseline")}
    against_base = compare(scored["candidate"], scored["baseline"])
    assert against_base["all"].difference.value > 0
    assert against_base["old"].difference.n + against_base["new"].difference.n == 12
    assert all(rows[0].latency_seconds for rows in scored.values())
    assert {arm["model"] for arm in report["arms"]} == scored.keys()


@pytest.mark.parametrize("kind", ["selector", "classifier"])
def test_the_nearest_training_items_answer_beside_the_models(tmp_path: Path, kind: str) -> None:
    candidate = _trained(tmp_path / "candidate", kind, epochs=1)
    known = write_lines(tmp_path / "train.jsonl", items())
    spec = _spec(tmp_path, kind, candidate=candidate, nearest_neighbours="candidate")

    score_models(spec | {"trained_on": str(known)}, lambda event: None)

    rows = _rows(spec, "nearest_neighbours")
    # Each item is its own nearest neighbour beside four others; a guess has 4 of 12 right.
    assert sum(row.correct is True for row in rows) >= 8
    assert rows[-1].correct is None
    assert all(0 <= row.score <= 1 for row in rows)


def test_without_a_known_item_no_neighbour_answers(tmp_path: Path) -> None:
    candidate = _trained(tmp_path / "candidate", "classifier", epochs=1)
    strange = [row | {"target": "another"} for row in items()]
    known = write_lines(tmp_path / "train.jsonl", strange)
    spec = _spec(tmp_path, "classifier", candidate=candidate, nearest_neighbours="candidate")

    score_models(spec | {"trained_on": str(known)}, lambda event: None)

    assert not (Path(spec["output_dir"]) / predictions_file("nearest_neighbours")).exists()


def test_what_the_candidate_changed_stands_beside_the_predictions(tmp_path: Path) -> None:
    candidate = _trained(tmp_path / "candidate", "classifier", epochs=12)
    base = (tmp_path / "candidate" / "baseline").as_uri()
    spec = _spec(tmp_path, "classifier", candidate=candidate, baseline=base)
    summary = RunSummary(method=TrainingMethod.SUPERVISED, steps=12)

    report = run(spec | {"run": summary.model_dump(mode="json")}, lambda event: None)["report"]

    written = (Path(spec["output_dir"]) / CHANGES_FILE).read_text()
    changes = EvaluationChanges.model_validate_json(written)
    rows = {row.topic: row for row in changes.topics}
    results = {(r["name"], r["model"], r["group"]): r["estimate"] for r in report["results"]}
    for group in ("all", "old", "new"):
        shown = rows[group].candidate.model_dump(), rows[group].before.model_dump()
        assert shown == tuple(results["accuracy", m, group] for m in ("candidate", "baseline"))
    assert changes.run == summary
    assert changes.corrected > 0


def test_the_entry_names_the_function_that_the_pool_runs() -> None:
    module, _, function = ENTRY.partition(":")

    assert getattr(import_module(module), function) is run


def test_an_item_without_a_right_answer_is_answered_but_not_scored(tmp_path: Path) -> None:
    candidate = _trained(tmp_path, "selector", max_steps=1)

    spec = _spec(tmp_path, "selector", candidate=candidate, deployed=None)

    rows = score_models(spec, lambda report: None)["candidate"]

    assert sum(row.correct is not None for row in rows) == 12
    assert rows[-1].id == "open"
    assert rows[-1].correct is None
    assert rows[-1].output
    assert _rows(spec, "candidate") == rows


def test_answers_are_those_that_the_model_gives_in_production(tmp_path: Path) -> None:
    from archon_inference import load_predictor

    candidate = _trained(tmp_path, "selector", max_steps=3)

    spec = _spec(tmp_path, "selector", candidate=candidate)

    rows = score_models(spec, lambda report: None)["candidate"]

    served = load_predictor(candidate).predict([row["input"] for row in items()])
    assert [row.output for row in rows[:-1]] == [answer.output for answer in served]


def test_a_suite_without_items_is_refused(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "selector", candidate=tmp_path)
    Path(spec["items"]).write_text("\n")

    with pytest.raises(EmptySuite):
        run(spec, lambda event: None)


def test_the_reference_set_is_asked_beside_the_test_part_and_feedback_cannot_name_its_group(
    tmp_path: Path,
) -> None:
    forged = {"id": "a", "input": "?", "target": "x", "group": REFERENCE_ITEMS}
    test = write_lines(tmp_path / "test.jsonl", [forged])
    write_lines(tmp_path / "reference.jsonl", [{"id": "r", "input": "!", "target": "y"}])

    found = [(item.id, item.group) for item in read_exam(test)]

    assert found == [("a", ""), ("r", REFERENCE_ITEMS)]


def test_a_suite_is_asked_as_it_is(tmp_path: Path) -> None:
    suite = write_lines(tmp_path / "items.jsonl", [{"id": "a", "input": "?", "group": "g"}])
    write_lines(tmp_path / "reference.jsonl", [{"id": "r", "input": "!"}])

    assert [(item.id, item.group) for item in read_exam(suite)] == [("a", "g")]


def test_beside_a_suite_each_label_that_it_does_not_ask_is_a_group(tmp_path: Path) -> None:
    group = f"{NEW_LABEL_PREFIX}forged"
    suite = write_lines(
        tmp_path / "items.jsonl", [{"id": "a", "input": "?", "target": "x", "group": group}]
    )
    held_out = [
        {"id": "n", "input": "!", "target": "y", "group": "mine"},
        {"id": "again", "input": "!", "target": "y"},
        {"id": "k", "input": "known", "target": "x"},
        {"id": "a", "input": "of an id that is taken", "target": "y"},
    ]
    reference = write_lines(tmp_path / "r.jsonl", [{"id": "r", "input": "r", "target": "z"}])

    found = read_exam(suite, [write_lines(tmp_path / "test.jsonl", held_out), reference])

    groups = [("a", ""), ("n", f"{NEW_LABEL_PREFIX}y"), ("r", f"{NEW_LABEL_PREFIX}z")]
    assert [(each.id, each.group) for each in found] == groups


def test_copies_of_an_item_are_one_piece_of_evidence() -> None:
    items = [
        SuiteItem(id=str(n), input=text, target=target)
        for n, (text, target) in enumerate(
            [("a  b", "x"), (" a b", "x"), ("a b", "y"), ("c", "x"), ("c", "x")]
        )
    ]

    assert [item.id for item in count_once(items)] == ["0", "2", "3"]
