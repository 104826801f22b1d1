"""Why a version cannot be deployed, returned to or archived: pure rules.

The registry decides; these refuse at once, with the sentence that a dead letter would have later.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.gateway.domain import ModelView

ARCHIVED, DEPLOYED, TRAINING = "archived", "deployed", "training"


def find_deployed(known: Sequence[ModelView]) -> ModelView | None:
    """The deployed one of an agent's versions."""
    return next((model for model in known if model.status == DEPLOYED), None)


def find_deploy_obstacle(model: ModelView, deployed: ModelView | None) -> str | None:
    """Why a person cannot deploy the version; None: it may be. The deployed one always may."""
    if model.status == ARCHIVED:
        return f"version {model.version} is archived and is deployed no more; name another one"
    if deployed is None or deployed.version == model.version:
        return None
    if deployed.digest == model.digest:
        return (
            f"version {model.version} has the digest of the deployed {deployed.version}: "
            "nothing would change"
        )
    return None


def find_rollback_obstacle(
    known: Sequence[ModelView], agent_id: str, to_version: str | None
) -> str | None:
    """Why an agent cannot return to an earlier version; None: it can.

    A version to which a rollback can return has a `deployed_at`; a rollback takes it from those
    that it leaves.
    """
    deployed = find_deployed(known)
    if deployed is None:
        return f"no version of agent {agent_id} is deployed; deploy one instead"
    if to_version is not None:
        named = next((model for model in known if model.version == to_version), None)
        return None if named is None else find_deploy_obstacle(named, deployed)
    if any(m.deployed_at and m.status != ARCHIVED for m in known if m is not deployed):
        return None
    return (
        f"no version of agent {agent_id} was deployed before {deployed.version}; "
        "name one in to_version"
    )


def find_archive_obstacle(model: ModelView) -> str | None:
    """Why a version cannot be archived; None: it can."""
    if model.status == DEPLOYED:
        return f"version {model.version} is deployed; deploy another one before it is archived"
    if model.protected_reason is not None:
        return (
            f"version {model.version} is protected ({model.protected_reason}); take the "
            "protection away first"
        )
    return None
