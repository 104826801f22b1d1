"""Manifests: a folder is what its manifest says, byte for byte, or it is refused."""

import hashlib
from pathlib import Path

import pytest

from archon_contracts.formats import manifest
from archon_contracts.formats.file_names import MANIFEST_FILE
from archon_contracts.formats.manifest import ManifestInvalid, UnsafeFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "sub" / "b.txt").write_bytes(b"b")
    content = manifest.build_manifest(manifest.list_files(tmp_path))
    (tmp_path / MANIFEST_FILE).write_bytes(content)
    return tmp_path


def digest_of(folder: Path) -> str:
    return hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()


def test_a_whole_folder_passes(folder: Path) -> None:
    assert list(manifest.check_folder(folder, digest_of(folder))) == ["a.txt", "sub/b.txt"]


def test_another_manifest_is_refused(folder: Path) -> None:
    with pytest.raises(ManifestInvalid, match="does not hash"):
        manifest.check_folder(folder, "0" * 64)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match=r"no manifest\.json"):
        manifest.check_folder(tmp_path)


def test_a_changed_file_is_refused(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"b")

    with pytest.raises(ManifestInvalid, match=r"a\.txt was changed"):
        manifest.check_folder(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "a.txt").unlink()

    with pytest.raises(ManifestInvalid, match=r"a\.txt is missing"):
        manifest.check_folder(folder)


def test_a_file_that_is_not_listed_is_refused(folder: Path) -> None:
    (folder / "sub" / "c.txt").write_bytes(b"c")

    with pytest.raises(ManifestInvalid, match=r"sub/c\.txt is not in the manifest"):
        manifest.check_folder(folder)


def test_a_partial_file_of_another_writer_is_passed_over(folder: Path) -> None:
    (folder / "a.txt.1234.partial").write_bytes(b"half")

    manifest.check_folder(folder)


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.txt", "sub/../../a.txt"])
def test_a_path_outside_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ManifestInvalid, match="outside"):
        manifest.check_name(name)


def test_a_link_that_leads_outside_is_refused(folder: Path) -> None:
    outside = folder.parent / "outside.txt"
    outside.write_bytes(b"a")
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(outside)

    with pytest.raises(ManifestInvalid, match=r"a\.txt is a link"):
        manifest.check_folder(folder)


def test_a_pickle_is_refused_by_its_name_and_by_its_content(folder: Path) -> None:
    with pytest.raises(UnsafeFile):
        manifest.check_name("weights.pt")
    (folder / "sub" / "b.txt").write_bytes(b"\x80\x04\x95")
    entry = manifest.describe_file(folder / "sub" / "b.txt")
    with pytest.raises(UnsafeFile):
        manifest.check_file(folder, "sub/b.txt", entry)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b'{"a": {}}', b"\xff"])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        manifest.parse_manifest(content)


@pytest.mark.parametrize("to_folder", [True, False], ids=["a folder", "a file"])
def test_a_link_is_refused_whatever_it_leads_to(
    folder: Path, tmp_path: Path, to_folder: bool
) -> None:
    digest = digest_of(folder)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.json").write_text("{}")
    (folder / "linked").symlink_to(elsewhere if to_folder else folder / "a.txt")

    with pytest.raises(manifest.ManifestInvalid, match="linked is a link"):
        manifest.check_folder(folder, digest)
