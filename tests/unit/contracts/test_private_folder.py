"""A folder in the temporary directory that another user made is not used."""

import os
import tempfile
from pathlib import Path

import pytest

from archon_contracts.private_folder import FolderNotPrivate, private_temporary_folder


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_the_same_each_time_and_closed_to_others(temporary: Path) -> None:
    first = private_temporary_folder("models")
    first.chmod(0o777)

    again = private_temporary_folder("models")

    assert again == first == temporary / f"models-{os.getuid()}"
    assert again.stat().st_mode & 0o777 == 0o700


def test_a_link_in_its_place_is_refused(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / f"models-{os.getuid()}").symlink_to(temporary / "elsewhere")

    with pytest.raises(FolderNotPrivate, match="remove it, or set TMPDIR"):
        private_temporary_folder("models")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user")
def test_a_folder_of_another_user_is_refused(temporary: Path) -> None:
    folder = temporary / f"models-{os.getuid()}"
    folder.mkdir()
    os.chown(folder, 12_345, 12_345)

    with pytest.raises(FolderNotPrivate):
        private_temporary_folder("models")
