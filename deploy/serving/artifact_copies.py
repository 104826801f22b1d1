"""An agent's copies of the artifacts that it serves."""

from __future__ import annotations

import asyncio
from pathlib import Path

from archon_contracts.values import ArtifactRef
from archon_inference import InferenceError
from shared.artifacts.store import ArtifactStore
from shared.errors import ArchonError, ArtifactStoreUnavailable


def kept_copy(artifact: ArtifactRef) -> Path:
    """Where the copy is, or will be; of a local store, the artifact itself."""
    return _store(artifact).kept_copy(artifact)


def fetch_copy(artifact: ArtifactRef) -> Path | None:
    """A copy that is as the store holds it now; None: a local store is read in place.

    Raises:
        OSError: the store does not answer.
        InferenceError: what it holds is not what the digest says.
    """
    store = _store(artifact)
    if store.is_local:
        return None
    try:
        return asyncio.run(store.copy(artifact))
    except ArtifactStoreUnavailable as error:
        raise OSError(str(error)) from error
    except ArchonError as error:
        raise InferenceError(str(error)) from error


def _store(artifact: ArtifactRef) -> ArtifactStore:
    # {store}/{first two digits}/{digest}
    return ArtifactStore(artifact.uri.rstrip("/").rsplit("/", 2)[0])
