"""Plans: in how many stages to teach, how much of the old to show again, and why."""

from __future__ import annotations

from enum import IntEnum

from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import CurriculumPlan, CurriculumStage
from archon_contracts.values import TrainingMethod

MINIMUM_STAGE_ITEMS = 50
"""Items that a stage is worth; fewer are learned in any pacing."""

CONTINUAL_REPLAY = 0.5
"""Replayed items per new item. Without any, what is new pushes out what was known."""


class Level(IntEnum):
    """How far an agent has come."""

    BASIC = 1  # simple tool usage, single steps
    INTERMEDIATE = 2  # several steps, context, error handling
    ADVANCED = 3  # complex reasoning, edge cases
    EXPERT = 4  # novel scenarios


STAGES = {Level.BASIC: 4, Level.INTERMEDIATE: 3, Level.ADVANCED: 2, Level.EXPERT: 1}
"""The less an agent can do, the finer the steps."""


def build_plan(command: PlanCurriculum, level: Level, success_rate: float | None) -> CurriculumPlan:
    """The plan of a job for an agent on this level."""
    stages = build_stages(level, command.new_items)
    replay = choose_replay_share(command.method, command.replay_ratio)
    return CurriculumPlan(
        level=level,
        stages=stages,
        replay_ratio=replay,
        rationale=explain_plan(command, level, success_rate, len(stages), replay),
    )


def build_stages(level: Level, new_items: int) -> tuple[CurriculumStage, ...]:
    """Stages, easiest first; the last one has every item.

    Each stage opens an equal part of the items and has an equal share of the steps: one pass then
    shows every item about once.
    """
    count = min(STAGES[level], max(1, new_items // MINIMUM_STAGE_ITEMS))
    return tuple(
        CurriculumStage(
            name=f"{number} of {count}",
            maximum_difficulty=1.0 if number == count else number / count,
            step_proportion=1 / count,
        )
        for number in range(1, count + 1)
    )


def choose_replay_share(method: TrainingMethod, requested: float | None) -> float:
    """What the job asks for; else some for a continual training and none for others."""
    if requested is not None:
        return requested
    return CONTINUAL_REPLAY if method is TrainingMethod.CONTINUAL else 0.0


def explain_plan(
    command: PlanCurriculum, level: Level, success_rate: float | None, stages: int, replay: float
) -> str:
    """Why the plan is as it is, in words."""
    known = (
        "no rated answers yet"
        if success_rate is None
        else f"{success_rate:.0%} of rated answers right"
    )
    pacing = "all at once" if stages == 1 else f"in {stages} stages, easiest first"
    again = f"{replay:.2g} replayed per new item" if replay else "no replay"
    whose = "asked for by the job" if command.replay_ratio is not None else command.method.value
    return (
        f"Level {int(level)} ({level.name.lower()}), {known}: "
        f"{command.new_items} new items {pacing}; {again} ({whose})."
    )
