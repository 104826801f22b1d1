"""The models an agent serves with: replaced while it serves, never half-way."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from archon_contracts.events import AgentConfiguration
from archon_contracts.formats import MANIFEST_FILE
from archon_contracts.values import ArtifactRef, ModelRef
from archon_inference import InferenceError, Predictor, VerifiedLoader, limit_answers
from archon_inference.catalogue import read_catalogue
from archon_inference.devices import Precision
from deploy.serving.arms import list_models
from deploy.serving.artifact_copies import fetch_copy, kept_copy
from deploy.serving.batcher import MicroBatcher

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory, and the version and weights that it is."""

    predictor: Predictor
    version: str
    digest: str
    revision: int
    uri: str = ""


@dataclass(frozen=True, slots=True)
class ServingModels:
    """What a configuration names, in memory: the deployed version and those of an experiment."""

    configuration: AgentConfiguration
    by_digest: Mapping[str, LoadedModel]

    def find(self, model: ModelRef) -> LoadedModel:
        """A model that the configuration names; the deployed one where it could not be loaded."""
        return self.by_digest.get(model.artifact.digest, self.deployed)

    def find_shadow(self, model: ModelRef | None) -> LoadedModel | None:
        """A candidate that answers unseen; None: there is none, or it could not be loaded."""
        return None if model is None else self.by_digest.get(model.artifact.digest)

    @property
    def deployed(self) -> LoadedModel:
        """The deployed version."""
        return self.by_digest[self.configuration.model.artifact.digest]


class HotSwapModel:
    """Loads new weights beside the serving ones, then swaps them in one assignment.

    With `trusted_keys`, only models that one of them signed.
    """

    def __init__(
        self, trusted_keys: Sequence[str] = (), *, precision: Precision = "float32"
    ) -> None:
        # Versions of the fast path share an encoder: of those only the head is read.
        self._loader = VerifiedLoader(
            trusted_keys=trusted_keys, threads=1, capacity=2, precision=precision
        )
        self._serving: ServingModels | None = None
        self._first = asyncio.Event()
        # One thread answers, another loads: a load never waits in front of a request.
        self._answering = ThreadPoolExecutor(1, "answer")
        self._loading = ThreadPoolExecutor(1, "load")
        self.batcher = MicroBatcher(self._answering)

    async def adopt(self, configuration: AgentConfiguration) -> bool:
        """Serve what `configuration` names; False when that is already so, or is out of date.

        A candidate that cannot be loaded is left out: the deployed version answers its part of
        the traffic, and says so.

        Raises:
            InferenceError: the deployed version is not what its digest says, or not of a trusted
                maker.
        """
        present = self._serving
        # A topic that is read again brings older revisions; they must not replace a newer model.
        if present is not None and configuration.revision <= present.configuration.revision:
            return False
        models = {}
        for ref in list_models(configuration):
            try:
                model = await self._load(configuration, ref)
            except (InferenceError, OSError) as error:
                if ref.artifact.digest == configuration.model.artifact.digest:
                    raise
                log.warning("candidate %s was not taken: %s", ref.version, error)
                continue
            models[model.digest] = model
        self._serving = ServingModels(configuration, models)
        self._first.set()
        return True

    async def models(self) -> ServingModels:
        """All models that answer now; waits until there are some."""
        while self._serving is None:
            await self._first.wait()
        return self._serving

    @property
    def present(self) -> ServingModels | None:
        """All models that answer now; None: the first is not there yet."""
        return self._serving

    async def _load(self, configuration: AgentConfiguration, ref: ModelRef) -> LoadedModel:
        artifact = ref.artifact
        predictor = await asyncio.get_running_loop().run_in_executor(
            self._loading, _load, self._loader, configuration, artifact
        )
        return LoadedModel(
            predictor, ref.version, artifact.digest, configuration.revision, artifact.uri
        )

    def close(self) -> None:
        """Let the threads end."""
        self._answering.shutdown(wait=False, cancel_futures=True)
        self._loading.shutdown(wait=False, cancel_futures=True)


def _load(
    loader: VerifiedLoader, configuration: AgentConfiguration, artifact: ArtifactRef
) -> Predictor:
    try:
        return _load_from(kept_copy(artifact), loader, configuration, artifact)
    except (InferenceError, OSError) as error:
        # What was kept may be half of it, changed, or of a former key: only what the store holds
        # now is refused.
        copy = fetch_copy(artifact)
        if copy is None:
            raise
        log.info("the copy of %s is fetched (%s)", artifact.digest[:12], error)
        return _load_from(copy, loader, configuration, artifact)


def _load_from(
    folder: Path, loader: VerifiedLoader, configuration: AgentConfiguration, artifact: ArtifactRef
) -> Predictor:
    allowed = configuration.allowed_answers
    predictor = loader.load(folder, artifact.digest)
    if allowed is None:
        return predictor
    tools = read_catalogue(_local(allowed.catalogue)) if allowed.catalogue else []
    names = {*allowed.labels, *(tool.name for tool in tools)}
    return limit_answers(predictor, names)


def _local(artifact: ArtifactRef) -> Path:
    copy = kept_copy(artifact)
    return copy if (copy / MANIFEST_FILE).exists() else fetch_copy(artifact) or copy
