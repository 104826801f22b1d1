"""A version that is deliberately worse: names in its catalogue stand beside vectors of others.

It is what a mistake in a script could make. It is imported by hand, as `archon models import` does,
so no gate looks at it; its files are whole and signed, so nothing but its answers gives it away.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fsspec

from archon_contracts.formats import MANIFEST_FILE, SIGNATURE_FILE
from archon_contracts.values import ArtifactRef
from archon_inference.catalogue import CATALOGUE_FILE, Tool, read_catalogue, write_catalogue
from shared.artifacts.store import ArtifactStore


def exchange_names(tools: Sequence[Tool]) -> list[Tool]:
    """Every second pair of neighbours with their names exchanged: half of all tools."""
    mixed = list(tools)
    for place in range(0, len(mixed) - 1, 4):
        mixed[place], mixed[place + 1] = mixed[place + 1], mixed[place]
    return mixed


async def publish_worse(artifacts: ArtifactStore, uri: str) -> ArtifactRef:
    """A copy of the version at `uri` with exchanged names, signed and published."""
    _, path = fsspec.core.url_to_fs(uri)
    with tempfile.TemporaryDirectory(prefix="archon-worse-") as temporary:
        folder = Path(temporary) / "model"
        unsigned = shutil.ignore_patterns(MANIFEST_FILE, SIGNATURE_FILE)
        shutil.copytree(path, folder, ignore=unsigned)
        write_catalogue(folder / CATALOGUE_FILE, exchange_names(read_catalogue(folder)))
        return await artifacts.publish(folder)
