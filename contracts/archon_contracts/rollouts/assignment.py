"""Who is served by which version: the same for every reader of the same configuration."""

from __future__ import annotations

import hashlib
from typing import Final

from archon_contracts.base import ValueObject
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.rules.rollout_policy import RolloutMode
from archon_contracts.values import ModelRef

_BUCKETS: Final = 2**64


class Assignment(ValueObject):
    """Which version answers, and which one answers beside it unseen."""

    model: ModelRef
    experiment_id: str | None = None
    is_treatment: bool = False
    shadow: ModelRef | None = None


def assign_version(
    deployed: ModelRef,
    experiment: Experiment | None,
    *,
    unit_id: str | None = None,
    interaction_id: str = "",
) -> Assignment:
    """The version for a unit (user or session), or without one for the interaction.

    A unit keeps its version through the experiment: when a canary's part of the traffic grows,
    units only ever move to the candidate.

    Raises:
        ValueError: an experiment runs, and neither id is given.
    """
    if experiment is None:
        return Assignment(model=deployed)
    chosen = is_in_treatment(experiment, unit_id=unit_id, interaction_id=interaction_id)
    identity = str(experiment.experiment_id)
    if experiment.mode is RolloutMode.SHADOW:
        shadow = experiment.treatment if chosen else None
        return Assignment(model=experiment.control, experiment_id=identity, shadow=shadow)
    model = experiment.treatment if chosen else experiment.control
    return Assignment(model=model, experiment_id=identity, is_treatment=chosen)


def is_in_treatment(
    experiment: Experiment, *, unit_id: str | None = None, interaction_id: str = ""
) -> bool:
    """Whether the candidate answers this unit, or without a unit this interaction.

    The first 8 bytes of SHA-256 over salt, kind of id and id, NUL between them, as a big-endian
    number below 2^64 times the treatment's share.

    Raises:
        ValueError: neither id is given.
    """
    kind, identity = ("unit", unit_id) if unit_id else ("interaction", interaction_id)
    if not identity:
        raise ValueError("give unit_id, or interaction_id where there is no unit")
    text = "\0".join((experiment.salt, kind, identity))
    # Ids of senders over Kafka may hold lone surrogates, which have no UTF-8.
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < experiment.treatment_share * _BUCKETS
