from pathlib import Path

import pytest

from archon_contracts.formats import MANIFEST_FILE
from services.trainer.checkpoints.store import (
    find_newest_checkpoint,
    is_complete,
    prune_checkpoints,
    stage_checkpoint,
)


def _save(root: Path, step: int) -> Path:
    with stage_checkpoint(root, step) as folder:
        (folder / "weights").write_bytes(b"weights of step %d" % step)
        (folder / "state").write_text("{}")
    return root / f"checkpoint-{step}"


def test_the_newest_checkpoint_is_the_one_with_most_steps(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        _save(tmp_path, step)

    assert find_newest_checkpoint(tmp_path) == tmp_path / "checkpoint-100"


@pytest.mark.parametrize("name", ["missing", "."])
def test_without_checkpoints_there_is_none(tmp_path: Path, name: str) -> None:
    assert find_newest_checkpoint(tmp_path / name) is None


def test_a_checkpoint_that_fails_to_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    before = _save(tmp_path, 1)

    with pytest.raises(FileNotFoundError), stage_checkpoint(tmp_path, 2) as folder:
        (folder / "no such folder" / "weights").write_bytes(b"half")

    assert find_newest_checkpoint(tmp_path) == before


def _truncate(folder: Path) -> None:
    (folder / "weights").write_bytes(b"wei")


def _flip(folder: Path) -> None:
    (folder / "weights").write_bytes(b"Weights of step 2")


def _lose_a_file(folder: Path) -> None:
    (folder / "state").unlink()


def _add_a_file(folder: Path) -> None:
    (folder / "optimizer.pt").write_bytes(b"a pickle")


def _lose_the_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).unlink()


def _tear_the_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).write_text('{"weights": ')


@pytest.mark.parametrize(
    "harm",
    [_truncate, _flip, _lose_a_file, _add_a_file, _lose_the_manifest, _tear_the_manifest],
)
def test_a_torn_checkpoint_is_passed_over(tmp_path: Path, harm: object) -> None:
    before, torn = _save(tmp_path, 1), _save(tmp_path, 2)
    assert callable(harm)

    harm(torn)

    assert not is_complete(torn)
    assert find_newest_checkpoint(tmp_path) == before


def test_a_step_can_be_saved_again_over_a_torn_one(tmp_path: Path) -> None:
    _truncate(_save(tmp_path, 2))

    assert is_complete(_save(tmp_path, 2))


def test_old_checkpoints_are_removed_oldest_first(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10):
        _save(tmp_path, step)

    prune_checkpoints(tmp_path, 2)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-3"]


def test_what_killed_writers_left_is_removed_once_a_later_step_is_kept(tmp_path: Path) -> None:
    for step, pid in ((3, 11), (3, 12), (9, 13)):
        (tmp_path / f".checkpoint-{step}.{pid}.partial").mkdir()
    _save(tmp_path, 9)

    prune_checkpoints(tmp_path, 2)

    # That of step 9 may be somebody's who writes it now.
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".checkpoint-9.13.partial", "checkpoint-9"]


def test_two_children_at_the_same_step_leave_one_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stage_checkpoint(tmp_path, 3) as folder:
        (folder / "weights").write_bytes(b"of the frozen trainer's child")
        monkeypatch.setattr("os.getpid", lambda: 1)
        successors = _save(tmp_path, 3)

    assert find_newest_checkpoint(tmp_path) == successors
    assert (successors / "weights").read_bytes() == b"weights of step 3"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]
