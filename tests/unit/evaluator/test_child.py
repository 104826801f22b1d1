from pathlib import Path
from typing import Any

import pytest

from services.evaluator.child import run
from services.evaluator.comparison.gate import read_rows
from services.evaluator.comparison.paired_tests import compare
from services.evaluator.errors import EmptySuite, SuiteInvalid
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
        "k": 2,
    }


@pytest.mark.parametrize("kind", ["selector", "classifier"])
def test_candidate_deployed_and_base_model_answer_the_same_items(tmp_path: Path, kind: str) -> None:
    candidate = _trained(tmp_path / "candidate", kind, epochs=12)
    live = _trained(tmp_path / "deployed", kind, epochs=1)
    base = (tmp_path / "candidate" / "baseline").as_uri()
    reports: list[dict[str, Any]] = []

    result = run(
        _spec(tmp_path, kind, candidate=candidate, deployed=live, baseline=base), reports.append
    )

    assert [report["model"] for report in reports] == ["candidate", "deployed", "baseline"]
    scored = {name: read_rows(Path(r["predictions"]).read_bytes()) for name, r in result.items()}
    against_base = compare(scored["candidate"], scored["baseline"])
    assert against_base["all"].difference.value > 0
    assert against_base["old"].difference.n + against_base["new"].difference.n == 12
    assert all(part["latency_seconds"] > 0 for part in result.values())


def test_an_item_without_a_right_answer_is_answered_but_not_scored(tmp_path: Path) -> None:
    candidate = _trained(tmp_path, "selector", max_steps=1)

    part = run(_spec(tmp_path, "selector", candidate=candidate, live=None), lambda e: None)[
        "candidate"
    ]

    rows = read_rows(Path(part["predictions"]).read_bytes())
    assert part["unscored"] == 1
    assert sum(part["scored"].values()) == 12
    assert (rows[-1].id, rows[-1].correct, rows[-1].target) == ("open", None, "")
    assert rows[-1].output


def test_answers_are_those_that_the_model_gives_in_production(tmp_path: Path) -> None:
    from archon_inference import load_predictor

    candidate = _trained(tmp_path, "selector", max_steps=3)

    part = run(_spec(tmp_path, "selector", candidate=candidate), lambda event: None)["candidate"]

    rows = read_rows(Path(part["predictions"]).read_bytes())
    served = load_predictor(candidate).predict([row["input"] for row in items()])
    assert [row.output for row in rows[:-1]] == [answer.output for answer in served]


def test_a_suite_without_items_is_refused(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "selector", candidate=tmp_path)
    Path(spec["items"]).write_text("\n")

    with pytest.raises(EmptySuite):
        run(spec, lambda event: None)


def test_a_line_that_is_no_item_is_named(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "selector", candidate=tmp_path)
    Path(spec["items"]).write_text('{"id": "1", "input": "q"}\n{"id": "2"}\n')

    with pytest.raises(SuiteInvalid, match=r"items\.jsonl:2: input"):
        run(spec, lambda event: None)


def test_a_row_holds_target_alternatives_and_the_time_of_the_timed_items(tmp_path: Path) -> None:
    candidate = _trained(tmp_path, "selector", max_steps=1)

    part = run(_spec(tmp_path, "selector", candidate=candidate), lambda event: None)["candidate"]

    first, *_ = read_rows(Path(part["predictions"]).read_bytes())
    assert (first.target, len(first.alternatives)) == (items()[0]["target"], 1)
    assert first.latency_seconds > 0
