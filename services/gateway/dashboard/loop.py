"""The loop from feedback to the deployed version, counted over the agents of a page: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from archon_contracts.events import JobState
from services.gateway.dashboard.queries import AgentRow

STAGES = tuple(state.value for state in JobState if not state.is_final)


@dataclass(frozen=True, slots=True)
class LoopPart:
    """One part of the loop: how many are in it, of what, and whether something happens there."""

    title: str
    count: int
    detail: str
    active: bool = False


def build_loop(agents: Sequence[AgentRow]) -> list[LoopPart]:
    """Feedback, what waits for a window, open jobs by stage, experiments and deployed versions."""
    waiting = [each for each in agents if each.unused]
    near = [each for each in waiting if each.trigger_enabled and each.unused]
    nearest = max(near, key=lambda each: (each.unused or 0) / each.fires_at, default=None)
    stages = Counter(each.open_state for each in agents if each.open_state)
    shown = [(stage, stages[stage]) for stage in STAGES if stages[stage]]
    experiments = Counter(each.experiment_mode for each in agents if each.experiment_mode)
    deployed = sum(each.version is not None for each in agents)
    return [
        LoopPart("Feedback", sum(each.feedback or 0 for each in agents), "events in 7 days"),
        LoopPart(
            "Unused",
            sum(each.unused or 0 for each in waiting),
            f"nearest to a retrain: {nearest.agent_id}"
            if nearest
            else "nothing waits for a window",
        ),
        LoopPart(
            "Jobs",
            sum(stages.values()),
            _list(shown) or "none open",
            active=bool(stages),
        ),
        LoopPart(
            "Experiments",
            sum(experiments.values()),
            _list(sorted(experiments.items())) or "none running",
            active=bool(experiments),
        ),
        LoopPart("Deployed", deployed, f"of {len(agents)} agents answer with a trained version"),
    ]


def _list(counts: Sequence[tuple[str | None, int]]) -> str:
    return ", ".join(f"{number} {(name or '').replace('_', ' ')}" for name, number in counts)
