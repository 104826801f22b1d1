"""The model an agent serves with: replaced while it serves, never half-way."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import fsspec

from archon_contracts.events import AgentConfiguration
from archon_contracts.formats import MANIFEST_FILE
from archon_contracts.private_folder import private_temporary_folder
from archon_contracts.values import ArtifactRef
from archon_inference import Predictor, VerifiedLoader, limit_answers
from archon_inference.catalogue import read_catalogue


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, and the version and weights that it is."""

    predictor: Predictor
    version: str
    digest: str
    revision: int
    uri: str = ""


class HotSwapModel:
    """Loads new weights beside the serving ones, then swaps them in one assignment.

    With `trusted_keys`, only models that one of them signed.
    """

    def __init__(self, trusted_keys: Sequence[str] = ()) -> None:
        # Versions of the fast path share an encoder: of those only the head is read.
        self._loader = VerifiedLoader(trusted_keys=trusted_keys, threads=1)
        self._loaded: LoadedModel | None = None
        self._first = asyncio.Event()
        # One thread answers, another loads: a load never waits in front of a request.
        self._answering = ThreadPoolExecutor(1, "answer")
        self._loading = ThreadPoolExecutor(1, "load")

    async def adopt(self, configuration: AgentConfiguration) -> bool:
        """Serve what `configuration` names; False when that is already so, or is out of date.

        Raises:
            InferenceError: it is not what its digest says, or not of a trusted maker.
        """
        present = self._loaded
        # A topic that is read again brings older revisions; they must not replace a newer model.
        if present is not None and configuration.revision <= present.revision:
            return False
        loop = asyncio.get_running_loop()
        predictor = await loop.run_in_executor(self._loading, _load, self._loader, configuration)
        self._loaded = LoadedModel(
            predictor,
            configuration.model.version,
            configuration.model.artifact.digest,
            configuration.revision,
            configuration.model.artifact.uri,
        )
        self._first.set()
        return True

    async def answer(self, question: str) -> tuple[str, LoadedModel]:
        """The answer, and the model that gave it; waits until a first model is there."""
        serving = await self.serving()
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(self._answering, serving.predictor.predict, [question])
        return answers[0].output, serving

    async def serving(self) -> LoadedModel:
        """The model that answers now; waits until a first one is there."""
        while self._loaded is None:
            await self._first.wait()
        return self._loaded

    def close(self) -> None:
        """Let the threads end."""
        self._answering.shutdown(wait=False, cancel_futures=True)
        self._loading.shutdown(wait=False, cancel_futures=True)


def _load(loader: VerifiedLoader, configuration: AgentConfiguration) -> Predictor:
    artifact, allowed = configuration.model.artifact, configuration.allowed_answers
    predictor = loader.load(_local(artifact), artifact.digest)
    if allowed is None:
        return predictor
    tools = read_catalogue(_local(allowed.catalogue)) if allowed.catalogue else []
    names = {*allowed.labels, *(tool.name for tool in tools)}
    return limit_answers(predictor, names)


def _local(artifact: ArtifactRef) -> Path:
    files, path = fsspec.core.url_to_fs(artifact.uri)
    if "file" in files.protocol:
        return Path(path)
    copy = private_temporary_folder("agent-models") / artifact.digest
    if not (copy / MANIFEST_FILE).exists():
        files.get(f"{path}/", f"{copy}/", recursive=True)
    return copy
