"""Whether a version can be loaded: asked before it is deployed, without loading it.

The registry's process has no torch. What a loader would trip over is looked for in the files
themselves: bytes against the manifest, the maker's signature, the card, and of each safetensors
file the table of tensors, which must cover the file without gaps
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from typing import Any, Final

from archon_contracts.formats import HEAD_FILE, MODEL_CARD_FILE
from archon_contracts.values import AgentKind, ArtifactRef
from services.registry.errors import ModelUnusable
from shared.artifacts.store import ArtifactStore

MAX_HEADER_BYTES: Final = 100_000_000
"""The format's own bound."""
WEIGHTS: Final = ".safetensors"


class ArtifactChecks:
    """Checks of the models in the artifact store."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def require_maker(self, artifact: ArtifactRef) -> None:
        """Check manifest and signature alone, in a millisecond.

        Raises:
            ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe: see `ArtifactStore.fetch`.
        """
        await self._artifacts.read_model(artifact, MODEL_CARD_FILE)

    async def require_loadable(self, artifact: ArtifactRef) -> None:
        """Check every byte, the signature, and that a loader would find a whole model.

        Raises:
            ModelUnusable: a file that loading needs is missing or not whole.
            ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe: see `ArtifactStore.fetch`.
        """
        folder = await self._artifacts.fetch_model(artifact)
        try:
            await asyncio.to_thread(require_whole_model, folder)
        except ModelUnusable as error:
            raise ModelUnusable(f"artifact {artifact.digest[:12]}: {error}") from error


def require_whole_model(folder: Path) -> None:
    """Check that a model folder is complete.

    Raises:
        ModelUnusable: with the file, and what is wrong with it.
    """
    card = _read_object(folder / MODEL_CARD_FILE)
    if card.get("kind") not in set(AgentKind):
        raise ModelUnusable(f"{MODEL_CARD_FILE} names no kind of agent")
    for path in folder.glob("*.json"):
        _read_object(path)
    weights = sorted(folder.glob(f"*{WEIGHTS}"))
    if not weights:
        raise ModelUnusable(f"it holds no {WEIGHTS} file")
    tables = {path.name: _read_tensors(path) for path in weights}
    _require_rows(tables.get(HEAD_FILE), card)


def _require_rows(head: dict[str, Any] | None, card: dict[str, Any]) -> None:
    """A head has a row for each of the card's labels."""
    labels = card.get("labels") or []
    if head is None or not labels:
        return
    shape = head.get("weight", {}).get("shape") or [0]
    if shape[0] != len(labels):
        raise ModelUnusable(f"{HEAD_FILE} has {shape[0]} rows for {len(labels)} labels")


def _read_object(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelUnusable(f"it holds no {path.name}") from error
    except ValueError as error:
        raise ModelUnusable(f"{path.name} is not JSON") from error


def _read_tensors(path: Path) -> dict[str, Any]:
    """The table of a safetensors file: eight bytes of its length, JSON, then the tensors."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(size - 8, MAX_HEADER_BYTES):
            raise ModelUnusable(f"{path.name} is not a whole safetensors file")
        try:
            table: dict[str, Any] = json.loads(file.read(length))
            tensors = [each for name, each in table.items() if name != "__metadata__"]
            spans = sorted(tuple(each["data_offsets"]) for each in tensors)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelUnusable(f"{path.name} has no readable table of tensors") from error
    ends = [0, *(end for _, end in spans)]
    covered = all(begin == before for (begin, _), before in zip(spans, ends, strict=False))
    if not covered or ends[-1] != size - 8 - length:
        raise ModelUnusable(f"{path.name} is cut off or has gaps")
    return table
