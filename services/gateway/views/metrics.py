"""What the API returns of the metrics of trainings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Self

from pydantic import Field

from services.gateway.views.base import View


class MetricSample(View):
    """One value of one training metric."""

    name: str
    step: int
    value: float
    attempt: int


class MetricView(MetricSample):
    """One value of one training metric, as it was recorded."""

    epoch: float | None = None
    recorded_at: datetime


class SeriesView(View):
    """One metric of one training attempt, summed up."""

    name: str
    attempt: int
    points: int
    first_step: int
    last_step: int
    lowest: float
    highest: float
    newest: float = Field(description="Value at the last step.")


class CurveView(View):
    """One metric of one training attempt by step, thinned to a bounded number of points."""

    name: str
    attempt: int
    points: int = Field(description="How many were recorded; more than are here: it is thinned.")
    steps: list[int]
    values: list[float]


class ResourceUse(View):
    """What trainings used that ended with a model; cost and energy are estimates."""

    trainings: int
    wall_seconds: float
    cpu_seconds: float
    gpu_seconds: float = Field(description="Time for which accelerators were taken.")
    energy_wh: float
    cost: float = Field(description="In the currency of the trainers' prices; 0 without prices.")


class AgentCost(ResourceUse):
    """Of one agent."""

    agent_id: str
    peak_memory_mb: float = Field(description="Of the training that took most.")


class CostsView(View):
    """By agent, and of the whole tenant."""

    since: datetime
    agents: list[AgentCost]
    total: ResourceUse

    @classmethod
    def of(cls, since: datetime, agents: Sequence[AgentCost]) -> Self:
        """The agents with their sums."""
        total = {
            name: sum(getattr(each, name) for each in agents) for name in ResourceUse.model_fields
        }
        return cls(since=since, agents=list(agents), total=ResourceUse(**total))

    def keep_agents(self, names: Collection[str] | None) -> CostsView:
        """Of these agents alone; None: of all."""
        if names is None:
            return self
        return self.of(self.since, [each for each in self.agents if each.agent_id in names])
