"""An update: the new items are learnt, the encoder is not touched, and a child keeps it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from archon_contracts.formats import MANIFEST_FILE, RETRACTED_IDS_FILE
from archon_contracts.formats.manifest import build_manifest, list_files
from archon_contracts.metric_names import (
    CHANGED_ANSWERS,
    LEARNT_ITEMS,
    NEW_ITEMS_RIGHT_AFTER,
    NEW_ITEMS_RIGHT_BEFORE,
    WITHDRAWN_ITEMS,
)
from archon_inference.encoding.learnt_vectors import LEARNT_FILE
from archon_inference.loading import load_predictor
from archon_inference.model_files import HEAD_FILE
from services.trainer.child import run as train
from services.trainer.closed_form import update
from services.trainer.closed_form.statistics import STATISTICS_FILE
from services.trainer.errors import DatasetInvalid, EmptyDataset, RunInvalid
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import REQUESTS, items, run_spec, write_lines

NEW = "book_hotel"


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


def published(folder: Path) -> str:
    """Give the folder its manifest; returns its digest."""
    import hashlib

    manifest = build_manifest(list_files(folder))
    (folder / MANIFEST_FILE).write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


@pytest.fixture
def version(tmp_path: Path, base: Path) -> Path:
    """A version that knows all labels but one."""
    spec = run_spec(tmp_path / "first", base, kind="classifier", fine_tuning="never")
    known = [row for row in items() if row["target"] != NEW]
    write_lines(tmp_path / "first" / "dataset" / "train.jsonl", known)
    return Path(train(spec, ignore)["model_dir"])


def update_spec(root: Path, version: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    write_lines(root / "update" / "train.jsonl", rows)
    return {
        "withdrawal": False,
        "warm_start": str(version),
        "digest": published(version),
        "dataset": str(root / "update"),
        "labels": sorted(REQUESTS),
        "output_dir": str(root / "updated"),
        "threads": 1,
        "device": "cpu",
        "precision": "float32",
    }


def complete(version: Path, updated: Path) -> Path:
    """The files of the update over those of the version, as the artifact store joins them."""
    whole = updated.with_name("whole")
    shutil.copytree(version, whole)
    return Path(shutil.copytree(updated, whole, dirs_exist_ok=True))


def test_one_correction_teaches_a_label_that_no_version_knew(tmp_path: Path, version: Path) -> None:
    correction = {"id": "c1", "input": "a room for the night", "target": NEW}
    result = update.run(update_spec(tmp_path, version, [correction]), ignore)

    model = load_predictor(complete(version, Path(result["model_dir"])))

    assert model.predict(["a room for the night"])[0].output == NEW
    assert result["steps"] == 1
    metrics = result["metrics"]
    assert (metrics[LEARNT_ITEMS], metrics[CHANGED_ANSWERS]) == (1, 1)
    assert (metrics[NEW_ITEMS_RIGHT_BEFORE], metrics[NEW_ITEMS_RIGHT_AFTER]) == (0, 1)


def test_an_update_writes_only_what_the_version_has_of_its_own(
    tmp_path: Path, version: Path
) -> None:
    rows = [row for row in items() if row["target"] == NEW]
    result = update.run(update_spec(tmp_path, version, rows), ignore)

    written = {path.name for path in Path(result["model_dir"]).iterdir()}

    assert written == {"archon.json", "head.safetensors", STATISTICS_FILE, LEARNT_FILE}


def test_an_update_gives_the_head_of_a_run_on_all_items(
    tmp_path: Path, version: Path, base: Path
) -> None:
    rows = [row for row in items() if row["target"] == NEW]
    updated = update.run(update_spec(tmp_path, version, rows), ignore)["model_dir"]
    spec = run_spec(tmp_path / "joint", base, kind="classifier", fine_tuning="never")
    write_lines(tmp_path / "joint" / "dataset" / "train.jsonl", items())
    joint = load_predictor(Path(train(spec, ignore)["model_dir"]))

    ours = load_predictor(complete(version, Path(updated)))

    place = dict(zip(joint.card.labels, joint.head.weight.detach(), strict=True))
    for label, row in zip(ours.card.labels, ours.head.weight.detach(), strict=True):
        # The vectors differ in their last bit: a text was embedded beside others.
        torch.testing.assert_close(row, place[label], rtol=2e-3, atol=2e-3)


def test_a_version_without_sums_is_named_as_the_reason(tmp_path: Path, version: Path) -> None:
    (version / STATISTICS_FILE).unlink()

    with pytest.raises(RunInvalid, match="no closed form to add to; retrain"):
        update.run(update_spec(tmp_path, version, items()), ignore)


def test_an_item_without_a_target_is_refused_by_name(tmp_path: Path, version: Path) -> None:
    spec = update_spec(tmp_path, version, [{"id": "c1", "input": "x", "rejected": ["y"]}])

    with pytest.raises(DatasetInvalid, match="item 'c1' has no target"):
        update.run(spec, ignore)


def test_items_of_other_labels_teach_nothing(tmp_path: Path, version: Path) -> None:
    with pytest.raises(EmptyDataset):
        update.run(
            update_spec(tmp_path, version, [{"id": "1", "input": "x", "target": "other"}]), ignore
        )


def test_reports_say_that_the_run_began_and_what_it_measured(tmp_path: Path, version: Path) -> None:
    reports: list[dict[str, Any]] = []

    update.run(update_spec(tmp_path, version, items()), reports.append)

    assert [each["event"] for each in reports] == ["started", "first_step", "metrics"]
    assert json.dumps(reports)


def test_what_was_retracted_leaves_with_the_next_update(
    tmp_path: Path, version: Path, base: Path
) -> None:
    rows = [row for row in items() if row["target"] == NEW]
    gone = [row["id"] for row in items() if row["target"] == "get_weather"]
    spec = update_spec(tmp_path, version, rows)
    (tmp_path / "update" / "retracted_ids.txt").write_text("\n".join(gone))
    updated = complete(version, Path(update.run(spec, ignore)["model_dir"]))
    joint = run_spec(tmp_path / "joint", base, kind="classifier", fine_tuning="never")
    left = [row for row in items() if row["id"] not in gone]
    write_lines(tmp_path / "joint" / "dataset" / "train.jsonl", left)

    ours, without = (
        load_predictor(updated),
        load_predictor(Path(train(joint, ignore)["model_dir"])),
    )

    rows_of = dict(zip(without.card.labels, without.head.weight.detach(), strict=True))
    assert set(ours.card.labels) == set(rows_of) == set(REQUESTS) - {"get_weather"}
    for label, row in zip(ours.card.labels, ours.head.weight.detach(), strict=True):
        torch.testing.assert_close(row, rows_of[label], rtol=1e-5, atol=1e-5)


def test_what_was_retracted_leaves_with_the_next_window(
    tmp_path: Path, version: Path, base: Path
) -> None:
    spec = run_spec(tmp_path / "next", base, kind="classifier", fine_tuning="never")
    dataset = tmp_path / "next" / "dataset"
    rows = [row | {"id": f"n{row['id']}"} for row in items() if row["target"] == NEW]
    write_lines(dataset / "train.jsonl", rows)
    gone = [row["id"] for row in items() if row["target"] == "get_weather"]
    (dataset / "retracted_ids.txt").write_text("\n".join(gone))

    model = load_predictor(
        Path(train(spec | {"warm_start_model": str(version)}, ignore)["model_dir"])
    )

    assert set(model.card.labels) == set(REQUESTS) - {"get_weather"}


def test_the_first_update_of_a_child_computes_with_all_its_threads(
    tmp_path: Path, version: Path
) -> None:
    before = torch.get_num_threads()
    update._loader.cache_clear()  # the encoder is read anew, as in a child that has just started
    try:
        update.run(update_spec(tmp_path, version, items()) | {"threads": before + 1}, ignore)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def withdrawal_spec(root: Path, version: Path, retracted: list[str]) -> dict[str, Any]:
    spec = update_spec(root, version, []) | {"withdrawal": True}
    (root / "update" / RETRACTED_IDS_FILE).write_text("".join(f"{name}\n" for name in retracted))
    return spec


def test_a_withdrawal_gives_the_head_of_a_run_without_the_items(
    tmp_path: Path, version: Path, base: Path
) -> None:
    known = [row for row in items() if row["target"] != NEW]
    retracted = [row["id"] for row in known][::3]
    result = update.run(withdrawal_spec(tmp_path, version, retracted), ignore)
    spec = run_spec(tmp_path / "without", base, kind="classifier", fine_tuning="never")
    left = [row for row in known if row["id"] not in retracted]
    write_lines(tmp_path / "without" / "dataset" / "train.jsonl", left)
    # A classifier learns its validation items too.
    write_lines(tmp_path / "without" / "dataset" / "validation.jsonl", left)
    without = Path(train(spec, ignore)["model_dir"])

    heads = [load_file(Path(f) / HEAD_FILE) for f in (result["model_dir"], without)]

    assert result["metrics"][WITHDRAWN_ITEMS] == len(retracted)
    for name in ("weight", "bias"):
        torch.testing.assert_close(heads[0][name], heads[1][name], rtol=0, atol=1e-5)


def test_a_label_all_of_whose_items_are_withdrawn_leaves_the_head(
    tmp_path: Path, version: Path
) -> None:
    gone = "get_weather"
    retracted = [row["id"] for row in items() if row["target"] == gone]

    result = update.run(withdrawal_spec(tmp_path, version, retracted), ignore)

    labels = json.loads((Path(result["model_dir"]) / "archon.json").read_text())["labels"]
    assert sorted(labels) == sorted(set(REQUESTS) - {gone, NEW})


def test_a_withdrawal_of_items_that_the_version_does_not_have_is_refused(
    tmp_path: Path, version: Path
) -> None:
    with pytest.raises(RunInvalid, match="nothing to withdraw"):
        update.run(withdrawal_spec(tmp_path, version, ["somebody else's"]), ignore)


def test_a_withdrawal_of_everything_is_refused_with_what_to_do(
    tmp_path: Path, version: Path
) -> None:
    everything = [row["id"] for row in items()]

    with pytest.raises(RunInvalid, match="no label has an item left"):
        update.run(withdrawal_spec(tmp_path, version, everything), ignore)
