"""Versions of models and which of them is deployed: pure rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from archon_contracts.values import AgentKind, ArtifactRef, Estimate, ModelRef
from services.registry.errors import InvalidVersion

# Nine digits at most, so that each part fits the integer column of the table `models`.
_VERSION = re.compile(r"^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$")


class ModelStatus(StrEnum):
    """Where a version stands. One that was replaced is ready again: a rollback can return to it.

    A candidate that is still in training has no version yet: it is a job, which the gateway lists.
    """

    READY = "ready"
    DEPLOYED = "deployed"
    ARCHIVED = "archived"  # for the record only; final


class Action(StrEnum):
    """How a version came to be deployed."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, order=True)
class SemanticVersion:
    """A semantic version; its order is the order of registration."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> SemanticVersion:
        """Read MAJOR.MINOR.PATCH.

        Raises:
            InvalidVersion: the text is anything else.
        """
        match = _VERSION.match(text)
        if match is None:
            raise InvalidVersion(f"A version looks like 1.2.0, not {text[:40]!r}.")
        return cls(*(int(part) for part in match.groups()))


FIRST_VERSION = SemanticVersion(1, 0, 0)


def compute_next_version(highest: SemanticVersion | None) -> SemanticVersion:
    """The version of an agent's next model: 1.0.0, then a minor step over the highest one.

    A retrain keeps the interface (same inputs, same kind of answer), hence never a major step. It
    counts from the highest version and not from its parent, because after a rollback two models
    may share a parent.
    """
    if highest is None:
        return FIRST_VERSION
    return SemanticVersion(highest.major, highest.minor + 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A registered model version of an agent."""

    model_id: UUID
    tenant_id: str
    agent_id: str
    version: SemanticVersion
    kind: AgentKind
    artifact: ArtifactRef
    status: ModelStatus
    job_id: UUID
    dataset_id: UUID
    parent_version: str | None
    metrics: Mapping[str, Estimate]
    created_at: datetime
    protected_reason: str | None = None
    """Why retention must not archive it; None: it may."""

    @property
    def ref(self) -> ModelRef:
        """The model as messages name it."""
        return ModelRef(version=str(self.version), artifact=self.artifact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One change of the deployed version. Its revision numbers the changes of one agent from 1."""

    revision: int
    version: str
    previous_version: str | None
    action: Action
    actor: str
    reason: str
    job_id: UUID | None
    at: datetime


def find_rollback_version(
    history: Sequence[Deployment], archived: Collection[str] = ()
) -> str | None:
    """The version to which a rollback without a name returns, or None; none that is archived.

    The history, oldest first, is read as a stack: a deployment puts a version on top, a rollback
    takes off what lay above its target. So two rollbacks in a row go back two versions instead of
    returning to the one that the first of them left.
    """
    stack: list[str] = []
    for change in history:
        if change.version in stack and change.action is Action.ROLLBACK:
            del stack[stack.index(change.version) + 1 :]
        else:
            # Deployed anew: it moves to the top, so that no rollback returns to the
            # version it leaves.
            stack = [version for version in stack if version != change.version]
            stack.append(change.version)
    earlier = [version for version in stack[:-1] if version not in archived]
    return earlier[-1] if earlier else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """Which versions of an agent stay deployable."""

    keep_newest: int
    deployed_within: timedelta


def select_expired(
    models: Sequence[ModelVersion],
    history: Sequence[Deployment],
    policy: RetentionPolicy,
    now: datetime,
) -> list[ModelVersion]:
    """The ready versions that nothing protects, oldest first.

    Protected are: the deployed one, the one that a rollback returns to, those that were deployed at
    any time within the period (also when they were deployed before it began and replaced in it),
    those that a person has named, and the newest.
    """
    since = now - policy.deployed_within
    archived = {str(m.version) for m in models if m.status is ModelStatus.ARCHIVED}
    kept = {find_rollback_version(history, archived)}
    for place, change in enumerate(history):
        replaced_at = history[place + 1].at if place + 1 < len(history) else now
        if replaced_at >= since:
            kept.add(change.version)
    ready = sorted((m for m in models if m.status is not ModelStatus.ARCHIVED), key=_by_version)
    kept |= {str(m.version) for m in ready[-policy.keep_newest :]}
    return [
        model
        for model in ready
        if model.status is ModelStatus.READY
        and model.protected_reason is None
        and str(model.version) not in kept
    ]


def _by_version(model: ModelVersion) -> SemanticVersion:
    return model.version


def is_outdated(
    model: ModelVersion, current: ModelVersion | None, compared_with: str | None
) -> bool:
    """Whether a version's evaluation used another baseline than the present one."""
    if current is not None and current.version == model.version:
        return False
    # Both None: a first version was compared with the base model, and nothing is deployed yet.
    return compared_with != (str(current.version) if current else None)
