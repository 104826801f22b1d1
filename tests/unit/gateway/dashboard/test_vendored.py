"""Files of other projects: which, under which licence, and unchanged."""

import hashlib
import json
import re
from typing import Any

import pytest

from services.gateway.dashboard.assets import FILES, STATIC, load_assets

VENDORED: list[dict[str, Any]] = json.loads((STATIC / "vendor" / "VENDORED.json").read_text())
PERMITTED = {"0BSD", "MIT"}
GZIPPED_BYTES = 60_000


@pytest.mark.parametrize("package", VENDORED, ids=lambda each: each["package"])
def test_a_vendored_package_is_the_named_version_with_its_licence(package: dict[str, Any]) -> None:
    folder = STATIC / "vendor"
    found = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in package["files"]
    }

    assert found == {name: each["sha256"] for name, each in package["files"].items()}
    assert package["license"] in PERMITTED
    assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
    assert package["integrity"].startswith("sha512-")
    assert any(name.endswith(".LICENSE.txt") for name in package["files"])


def test_every_vendored_file_is_listed_and_every_listed_one_is_there() -> None:
    listed = {name for package in VENDORED for name in package["files"]}
    there = {path.name for path in (STATIC / "vendor").iterdir()} - {"VENDORED.json"}

    assert there == listed
    assert {place.rpartition("/")[2] for place in FILES.values() if "/" in place} <= listed


def test_assets_name_no_other_site() -> None:
    own = [STATIC / place for place in FILES.values() if "/" not in place]
    named = {
        path.name: re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", path.read_text())
        for path in own
    }

    assert {
        n: found for n, found in named.items() if found not in ([], ["http://www.w3.org"])
    } == {}


def test_assets_are_small_on_the_wire() -> None:
    assets = load_assets()

    assert sum(len(asset.compressed) for asset in assets.values()) < GZIPPED_BYTES
    assert len({asset.path for asset in assets.values()}) == len(FILES)
