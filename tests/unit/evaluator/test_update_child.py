"""The gate of an update: cached predictions, one embedding, and answers to the corrections."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from archon_contracts.commands import RunSummary
from archon_contracts.formats import (
    CHANGES_FILE,
    MANIFEST_FILE,
    EvaluationChanges,
    PredictionRow,
    predictions_file,
    read_jsonl,
    to_jsonl,
)
from archon_contracts.formats.manifest import build_manifest, list_files
from archon_contracts.values import FastPathPolicy, GatePolicy, TrainingMethod
from archon_inference.encoder import TextEncoder
from archon_inference.model_files import HEAD_FILE
from services.evaluator import update_child
from services.trainer.child import run as train
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import items, run_spec, write_lines


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("deployed")
    spec = run_spec(root, tiny_encoder(root / "base"), kind="classifier", fine_tuning="never")
    return Path(train(spec, ignore)["model_dir"])


def always(deployed: Path, root: Path, label: str) -> Path:
    """A version of the same encoder that answers one label whatever is asked."""
    folder = Path(shutil.copytree(deployed, root / f"always-{label}"))
    labels = json.loads((folder / "archon.json").read_text())["labels"]
    weight = torch.zeros_like(load_file(folder / HEAD_FILE)["weight"])
    bias = torch.tensor([100.0 if one == label else 0.0 for one in labels])
    save_file({"weight": weight, "bias": bias}, folder / HEAD_FILE)
    return folder


def located(folder: Path) -> dict[str, str]:
    manifest = build_manifest(list_files(folder))
    (folder / MANIFEST_FILE).write_bytes(manifest)
    return {"folder": str(folder), "digest": hashlib.sha256(manifest).hexdigest()}


def spec_of(
    root: Path, candidate: Path, deployed: Path, update: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    suite = write_lines(root / "suite" / "items.jsonl", items())
    (root / "out").mkdir(exist_ok=True)
    return {
        "models": {"candidate": located(candidate), "deployed": located(deployed)},
        "items": str(suite),
        "items_digest": str(root),
        "update": str(write_lines(root / "update.jsonl", update)),
        "threads": 1,
        "output_dir": str(root / "out"),
        "gate": GatePolicy().model_dump(mode="json"),
        "fast_path": FastPathPolicy().model_dump(mode="json"),
        "minimum_reference_items": 0,
        "recent": [],
        "withdrawal": False,
    }


def correction(target: str) -> list[dict[str, Any]]:
    return [{"id": "c", "input": "is it sunny", "target": target}]


def test_a_candidate_that_answers_one_label_alone_is_refused(
    tmp_path: Path, deployed: Path
) -> None:
    candidate = always(deployed, tmp_path, "book_hotel")

    report = update_child.run(
        spec_of(tmp_path, candidate, deployed, correction("book_hotel")), ignore
    )["report"]

    assert not report["passed"]
    assert "more than the 1.0% that it may lose" in "; ".join(report["reasons"])
    assert report["changed_answers"] > 0
    assert report["answered_items"] == len(items())


def test_an_update_says_answer_by_answer_what_it_changed(tmp_path: Path, deployed: Path) -> None:
    candidate = always(deployed, tmp_path, "book_hotel")
    spec = spec_of(tmp_path, candidate, deployed, correction("book_hotel"))
    run = RunSummary(method=TrainingMethod.CONTINUAL, steps=1, fast_path=True)

    report = update_child.run(spec | {"run": run.model_dump(mode="json")}, ignore)["report"]

    content = (tmp_path / "out" / CHANGES_FILE).read_text()
    changes = EvaluationChanges.model_validate_json(content)
    assert changes.run == run
    assert {move.after for move in changes.moved} == {"book_hotel"}
    assert sum(move.items for move in changes.moved) == report["changed_answers"]
    assert changes.broken == report["comparison"]["all"]["deployed_only"]


def test_a_candidate_that_does_not_answer_its_correction_is_refused(
    tmp_path: Path, deployed: Path
) -> None:
    report = update_child.run(
        spec_of(tmp_path, deployed, deployed, correction("book_hotel")), ignore
    )["report"]

    assert [arm["model"] for arm in report["arms"]] == ["candidate", "deployed", "baseline"]
    assert not report["passed"]
    assert report["reasons"][0].startswith("of 1 corrections the candidate answers 0 right")
    assert report["changed_answers"] == 0


def test_known_predictions_are_used_and_the_suite_is_embedded_once(
    tmp_path: Path, deployed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: list[int] = []
    original = TextEncoder.embed

    def embed(self: TextEncoder, texts: Sequence[str], *how: Any) -> torch.Tensor:
        embedded.append(len(texts))
        return original(self, texts, *how)

    monkeypatch.setattr(TextEncoder, "embed", embed)
    candidate = always(deployed, tmp_path, "book_hotel")
    spec = spec_of(tmp_path, candidate, deployed, correction("book_hotel"))
    known = tmp_path / "out" / predictions_file("deployed")

    update_child.run(spec, ignore)
    first = known.read_bytes()
    (tmp_path / "out" / predictions_file("candidate")).unlink()
    update_child.run(spec, ignore)

    assert embedded == [len(items())]
    assert known.read_bytes() == first
    assert len(list(read_jsonl(known, PredictionRow))) == len(items())


def answered(path: Path, old: int, new: int) -> Path:
    """Predictions of a version that gets so many of a hundred old and of a hundred new items."""
    rows = [
        PredictionRow(
            id=f"{group} {n}", group=group, target="x", output="x", score=1,
            correct=n < right, correct_at_k=n < right,
        )
        for group, right in (("old", old), ("new", new))
        for n in range(100)
    ]  # fmt: skip
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(to_jsonl(rows))
    return path


def test_losses_that_add_up_over_updates_wait_for_a_person(tmp_path: Path, deployed: Path) -> None:
    candidate = always(deployed, tmp_path, "book_hotel")
    spec = spec_of(tmp_path, candidate, deployed, correction("book_hotel"))
    answered(tmp_path / "out" / predictions_file("deployed"), 92, 60)
    answered(tmp_path / "out" / predictions_file("candidate"), 88, 90)
    answered(tmp_path / "out" / predictions_file("baseline"), 0, 0)

    alone = update_child.run(spec, ignore)["report"]
    recent = [str(answered(tmp_path / "recent.jsonl", 100, 0))]
    beside = update_child.run(spec | {"recent": recent}, ignore)["report"]

    assert (alone["passed"], alone["review_reasons"]) == (True, [])
    assert beside["passed"]
    assert "old lost 12.0% of 100 items" in beside["review_reasons"][0]


def test_the_first_update_of_a_child_computes_with_all_its_threads(
    tmp_path: Path, deployed: Path
) -> None:
    before = torch.get_num_threads()
    update_child._loader.cache_clear()  # the encoder is read anew, as in a child just started
    spec = spec_of(tmp_path, deployed, deployed, correction("book_hotel"))
    try:
        update_child.run(spec | {"threads": before + 1}, ignore)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_a_withdrawal_is_asked_for_no_gain_and_needs_no_items(
    tmp_path: Path, deployed: Path
) -> None:
    same = Path(shutil.copytree(deployed, tmp_path / "same"))
    spec = spec_of(tmp_path, same, deployed, []) | {"withdrawal": True}

    report = update_child.run(spec, ignore)["report"]

    assert (report["passed"], report["review_reasons"]) == (True, [])


def test_what_a_withdrawal_loses_is_for_a_person_to_accept(tmp_path: Path, deployed: Path) -> None:
    worse = always(deployed, tmp_path, "get_weather")
    spec = spec_of(tmp_path, worse, deployed, []) | {"withdrawal": True}

    report = update_child.run(spec, ignore)["report"]

    assert report["passed"]
    assert "without the retracted feedback accuracy falls" in report["review_reasons"][0]
