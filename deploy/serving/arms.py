"""Which of an agent's models there are to serve; `AgentConfiguration.assign` says which answers."""

from __future__ import annotations

from archon_contracts.events import AgentConfiguration
from archon_contracts.values import ModelRef


def list_models(configuration: AgentConfiguration) -> list[ModelRef]:
    """The deployed version first, then those of an experiment; each weights once."""
    experiment = configuration.experiment
    arms = [] if experiment is None else [experiment.control, experiment.treatment]
    found: dict[str, ModelRef] = {}
    for ref in (configuration.model, *arms):
        found.setdefault(ref.artifact.digest, ref)
    return list(found.values())
