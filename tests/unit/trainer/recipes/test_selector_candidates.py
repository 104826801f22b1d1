"""A selector's closed form: its versions, its tools that come and go, and its updates."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from archon_contracts.formats import MANIFEST_FILE, RETRACTED_IDS_FILE
from archon_contracts.formats.manifest import build_manifest, list_files
from archon_contracts.metric_names import CLOSED_FORM, NEW_ITEMS_RIGHT_AFTER, WITHDRAWN_ITEMS
from archon_inference.loading import limit_answers, load_predictor
from archon_inference.selector import Selector
from services.trainer.child import run as train
from services.trainer.closed_form import update
from services.trainer.closed_form.learnt_items import is_estimate, load_state
from services.trainer.errors import EmptyDataset, RunInvalid
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import TOOLS, items, run_spec, write_lines

NEW = "book_hotel"
ASKED = "a room for the night"


def ignore(_: dict[str, Any]) -> None:
    """Reports are of no concern here."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


def run_of(root: Path, base: Path, rows: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    """A run in closed form on these rows."""
    run = run_spec(root, base, fine_tuning="never") | spec
    write_lines(root / "dataset" / "train.jsonl", rows)
    write_lines(root / "dataset" / "validation.jsonl", [])
    return run


def version_of(folder: str | Path) -> Selector:
    selector = load_predictor(Path(folder))
    assert isinstance(selector, Selector)
    return selector


@pytest.fixture
def version(tmp_path: Path, base: Path) -> Path:
    """A version that has seen requests for all tools but one."""
    known = [row for row in items() if row["target"] != NEW]
    return Path(train(run_of(tmp_path / "first", base, known), ignore)["model_dir"])


def update_spec(root: Path, version: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = build_manifest(list_files(version))
    (version / MANIFEST_FILE).write_bytes(manifest)
    write_lines(root / "update" / "train.jsonl", rows)
    return {
        "withdrawal": False,
        "warm_start": str(version),
        "digest": hashlib.sha256(manifest).hexdigest(),
        "dataset": str(root / "update"),
        "catalogue": str(root / "first" / "catalogue.json"),
        "labels": [],
        "output_dir": str(root / "updated"),
        "threads": 1,
        "device": "cpu",
        "precision": "float32",
    }


def complete(version: Path, updated: str) -> Path:
    """The files of the update over those of the version, as the artifact store joins them."""
    whole = Path(updated).with_name("whole")
    shutil.copytree(version, whole)
    return Path(shutil.copytree(updated, whole, dirs_exist_ok=True))


def assert_heads_equal(ours: Selector, theirs: Selector, tolerance: float) -> None:
    assert ours.answers == theirs.answers
    assert ours.head is not None
    assert theirs.head is not None
    for mine, other in zip(ours.head.parameters(), theirs.head.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=tolerance)


def test_a_closed_form_answers_every_tool_and_readers_from_before_refuse_it(version: Path) -> None:
    selector = version_of(version)

    assert selector.answers == tuple(tool["name"] for tool in TOOLS)
    assert selector.head is not None
    assert json.loads((version / "archon.json").read_text())["format_version"] == 3
    known = [row for row in items() if row["target"] != NEW]
    answers = selector.predict([row["input"] for row in known])
    right = [a.output == row["target"] for a, row in zip(answers, known, strict=True)]
    assert sum(right) > 0.8 * len(right)


def test_one_correction_is_learnt_by_an_update(tmp_path: Path, version: Path) -> None:
    before = version_of(version).predict([ASKED])[0].output
    taught = next(tool["name"] for tool in TOOLS if tool["name"] != before)

    correction = {"id": "c1", "input": ASKED, "target": taught}
    result = update.run(update_spec(tmp_path, version, [correction]), ignore)

    assert version_of(complete(version, result["model_dir"])).predict([ASKED])[0].output == taught
    assert (result["metrics"][NEW_ITEMS_RIGHT_AFTER], result["metrics"][CLOSED_FORM]) == (1, 1)
    written = {path.name for path in Path(result["model_dir"]).iterdir()}
    assert "model.safetensors" not in written, "versions share the encoder"


def test_an_update_gives_the_head_of_a_run_on_all_items(
    tmp_path: Path, version: Path, base: Path
) -> None:
    rows = [row for row in items() if row["target"] == NEW]
    updated = update.run(update_spec(tmp_path, version, rows), ignore)["model_dir"]

    joint = train(run_of(tmp_path / "joint", base, items()), ignore)["model_dir"]

    # The vectors differ in their last bit: a text was embedded beside others.
    assert_heads_equal(version_of(complete(version, updated)), version_of(joint), 2e-3)


def test_a_withdrawal_gives_the_head_of_a_run_without_the_items(
    tmp_path: Path, version: Path, base: Path
) -> None:
    known = [row for row in items() if row["target"] != NEW]
    gone = {row["id"] for row in known[::3]}
    spec = update_spec(tmp_path, version, []) | {"withdrawal": True}
    (tmp_path / "update" / RETRACTED_IDS_FILE).write_text("\n".join(gone))

    result = update.run(spec, ignore)

    left = [row for row in known if row["id"] not in gone]
    without = train(run_of(tmp_path / "without", base, left), ignore)["model_dir"]
    assert result["metrics"][WITHDRAWN_ITEMS] == len(gone)
    assert_heads_equal(
        version_of(complete(version, result["model_dir"])), version_of(without), 1e-3
    )


def test_a_withdrawal_of_everything_leaves_the_descriptions(tmp_path: Path, version: Path) -> None:
    spec = update_spec(tmp_path, version, []) | {"withdrawal": True}
    (tmp_path / "update" / RETRACTED_IDS_FILE).write_text("\n".join(r["id"] for r in items()))

    selector = version_of(complete(version, update.run(spec, ignore)["model_dir"]))

    texts = [tool["description"] for tool in TOOLS]
    assert len({answer.output for answer in selector.predict(texts)}) > 1


def test_tools_come_and_go_and_a_tool_that_returns_is_known(tmp_path: Path, version: Path) -> None:
    first = tmp_path / "first" / "catalogue.json"
    gone, new = "get_weather", {"name": "sing_song", "description": "sing a song"}
    kept = [tool for tool in TOOLS if tool["name"] != gone]
    correction = [{"id": "c1", "input": ASKED, "target": NEW}]
    first.write_text(json.dumps([*kept, new]))

    changed = complete(
        version, update.run(update_spec(tmp_path, version, correction), ignore)["model_dir"]
    )
    without = version_of(changed)
    first.write_text(json.dumps(TOOLS))
    spec = update_spec(tmp_path, changed, correction) | {"output_dir": str(tmp_path / "again")}
    update.run(spec, ignore)
    returned = version_of(shutil.copytree(tmp_path / "again", changed, dirs_exist_ok=True))

    requests = [row["input"] for row in items() if row["target"] == gone]
    assert "sing_song" in without.answers
    assert gone not in without.answers
    assert all(answer.output != gone for answer in without.predict(requests))
    assert sum(answer.output == gone for answer in returned.predict(requests)) > len(requests) / 2


def test_a_tool_that_was_taken_away_since_is_not_answered(version: Path) -> None:
    selector = version_of(version)
    requests = [row["input"] for row in items()]

    limited = limit_answers(selector, [tool["name"] for tool in TOOLS if tool["name"] != NEW])

    assert NEW not in {answer.output for answer in limited.predict(requests)}


def test_a_window_goes_on_from_the_sums_and_subtracts_what_was_retracted(
    tmp_path: Path, version: Path, base: Path
) -> None:
    known = [row for row in items() if row["target"] != NEW]
    gone = {row["id"] for row in known if row["target"] == "get_weather"}
    rows = [row | {"id": f"n{row['id']}"} for row in items() if row["target"] == NEW]
    spec = run_of(tmp_path / "next", base, rows, warm_start_model=str(version))
    (tmp_path / "next" / "dataset" / RETRACTED_IDS_FILE).write_text("\n".join(gone))

    ours = train(spec, ignore)["model_dir"]

    left = [row for row in known if row["id"] not in gone]
    joint = train(run_of(tmp_path / "joint", base, [*left, *rows]), ignore)["model_dir"]
    assert_heads_equal(version_of(ours), version_of(joint), 2e-3)


def test_requests_whose_tool_was_rated_wrong_are_learnt_without_it(
    tmp_path: Path, version: Path, base: Path
) -> None:
    spec = run_of(tmp_path / "next", base, [], warm_start_model=str(version))
    before = version_of(version).predict([ASKED])[0]
    denied = before.output
    negatives = [{"id": "f1", "input": ASKED, "rejected": [denied], "weight": 0.5}]
    write_lines(tmp_path / "next" / "dataset" / "negatives.jsonl", negatives)

    model = train(spec, ignore)["model_dir"]

    state = load_state(Path(model))
    assert state is not None
    estimates = [item for item in state.items.values() if is_estimate(item)]
    assert estimates
    assert denied not in {item.target for item in estimates}
    after = version_of(model).predict([ASKED])[0]
    assert after.output != denied or after.score < before.score


def test_after_fine_tuning_updates_go_on_from_the_tuned_encoder(tmp_path: Path, base: Path) -> None:
    spec = run_spec(tmp_path / "first", base, fine_tuning="always", max_steps=4)
    tuned = Path(train(spec, ignore)["model_dir"])
    taught = TOOLS[0]["name"]

    result = update.run(
        update_spec(tmp_path, tuned, [{"id": "c", "input": ASKED, "target": taught}]), ignore
    )

    selector = version_of(complete(tuned, result["model_dir"]))
    assert version_of(tuned).head is None
    assert selector.head is not None
    texts = [row["input"] for row in items()]
    torch.testing.assert_close(
        selector.encoder.embed(texts, 16), version_of(tuned).encoder.embed(texts, 16)
    )


def test_a_closed_form_needs_a_catalogue_and_requests_for_its_tools(
    tmp_path: Path, base: Path
) -> None:
    with pytest.raises(RunInvalid, match="needs a catalogue"):
        train(run_of(tmp_path / "one", base, items()) | {"catalogue": None}, ignore)
    with pytest.raises(EmptyDataset):
        train(run_of(tmp_path / "two", base, [{"id": "1", "input": "x", "target": "o"}]), ignore)
