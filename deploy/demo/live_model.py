"""The model an agent serves with: replaced while it serves, never half-way."""

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import fsspec

from archon_contracts.events import AgentConfiguration
from archon_contracts.inference import Predictor, load_predictor
from archon_contracts.values import ArtifactRef

MANIFEST = "manifest.json"


class DigestMismatchError(Exception):
    """A model folder is not what its digest says: it must not serve."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory, and the version and weights that it is."""

    predictor: Predictor
    version: str
    digest: str
    revision: int


class LiveModel:
    """Loads new weights beside the serving ones, then swaps them in one assignment."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None
        self._first = asyncio.Event()
        # One thread answers, another loads: a load never waits in front of a request.
        self._answering = ThreadPoolExecutor(1, "answer")
        self._loading = ThreadPoolExecutor(1, "load")

    async def adopt(self, configuration: AgentConfiguration) -> bool:
        """Serve what `configuration` names; False when that is already so, or is out of date."""
        present = self._loaded
        if present is not None and configuration.revision <= present.revision:
            return False
        loop = asyncio.get_running_loop()
        predictor = await loop.run_in_executor(self._loading, _load, configuration.model.artifact)
        self._loaded = Loaded(
            predictor,
            configuration.model.version,
            configuration.model.artifact.digest,
            configuration.revision,
        )
        self._first.set()
        return True

    async def answer(self, question: str) -> tuple[str, Loaded]:
        """The answer, and the model that gave it; waits until a first model is there."""
        serving = await self._serving()
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(self._answering, serving.predictor.predict, [question])
        return answers[0].output, serving

    async def _serving(self) -> Loaded:
        while self._loaded is None:
            await self._first.wait()
        return self._loaded

    def close(self) -> None:
        """Let the threads end."""
        self._answering.shutdown(wait=False, cancel_futures=True)
        self._loading.shutdown(wait=False, cancel_futures=True)


def _load(artifact: ArtifactRef) -> Predictor:
    return load_predictor(verified_folder(artifact), threads=1)


def verified_folder(artifact: ArtifactRef) -> Path:
    """A local folder whose files are exactly those that the digest stands for.

    Raises:
        DigestMismatchError: the manifest, or a file that it names, hashes to something else.
    """
    folder = _local(artifact)
    manifest = (folder / MANIFEST).read_bytes()
    if hashlib.sha256(manifest).hexdigest() != artifact.digest:
        raise DigestMismatchError(f"the manifest in {folder} does not hash to {artifact.digest}")
    for name, entry in json.loads(manifest).items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != entry["sha256"]:
            raise DigestMismatchError(f"{name} in {folder} was changed")
    return folder


def _local(artifact: ArtifactRef) -> Path:
    files, path = fsspec.core.url_to_fs(artifact.uri)
    if "file" in files.protocol:
        return Path(path)
    copy = Path(gettempdir()) / "agent-models" / artifact.digest
    if not (copy / MANIFEST).exists():
        files.get(f"{path}/", f"{copy}/", recursive=True)
    return copy
