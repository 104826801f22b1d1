"""One runtime per data directory."""

import stat
from pathlib import Path

import pytest

from deploy.local import lock
from deploy.local.errors import AlreadyRunningError


def test_a_second_runtime_is_refused_in_one_sentence(tmp_path):
    with (
        lock.exclusive(tmp_path),
        pytest.raises(AlreadyRunningError, match="Another archon runtime is using"),
        lock.exclusive(tmp_path),
    ):
        pass


def test_the_directory_is_free_again_afterwards(tmp_path):
    with lock.exclusive(tmp_path):
        assert lock.is_locked(tmp_path)

    assert not lock.is_locked(tmp_path)


def test_a_directory_that_was_never_used_is_not_held(tmp_path):
    assert not lock.is_locked(tmp_path)


def test_a_data_folder_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir(mode=0o755)

    for folder in (new, old):
        with lock.exclusive(folder):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
