"""Whether what is to be imported is a model of this system's store."""

from __future__ import annotations

from archon_contracts.formats import MODEL_CARD_FILE
from archon_contracts.values import ArtifactRef
from services.gateway.errors import FieldError, Invalid
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe


async def require_model(artifacts: ArtifactStore, artifact: ArtifactRef) -> None:
    """Check manifest, signature and card; the registry checks every byte before a deployment.

    Raises:
        Invalid: it is not there, not of a trusted maker, or no model.
    """
    try:
        await artifacts.read_model(artifact, MODEL_CARD_FILE)
    except (ArtifactMissing, ArtifactCorrupt, ArtifactUnsafe) as error:
        raise Invalid([FieldError("artifact", "model", str(error))]) from error
