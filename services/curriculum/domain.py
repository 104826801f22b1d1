"""Training plans: the number of stages, the replay ratio, and the reasons for both."""

from __future__ import annotations

from archon_contracts.commands import PlanCurriculum
from archon_contracts.events import CurriculumPlan, CurriculumStage
from archon_contracts.rules.task_types import CurriculumLevel
from archon_contracts.values import TrainingMethod

MINIMUM_STAGE_ITEMS = 50
"""Fewest items of a stage: below, the order of the items has no measurable effect."""

CONTINUAL_REPLAY = 0.5
"""Replayed items per new item of a continual training; without replay it unlearns old items."""


STAGES = {
    CurriculumLevel.BASIC: 4,
    CurriculumLevel.INTERMEDIATE: 3,
    CurriculumLevel.ADVANCED: 2,
    CurriculumLevel.EXPERT: 1,
}
"""Stages of a staged training: more of them on the lower levels."""


def build_plan(
    command: PlanCurriculum, level: CurriculumLevel, success_rate: float | None
) -> CurriculumPlan:
    """The plan of a job for an agent on this level."""
    # One stage unless the agent's policy says otherwise. Difficulty is ranked over all targets and
    # depends on length and rarity, so early stages can hold one class alone, and the last steps,
    # at a learning rate near zero, the other: whole classes were lost that way.
    count = count_stages(level, command.new_items) if command.staged else 1
    stages = build_stages(count)
    replay = choose_replay_ratio(command.method, command.replay_ratio)
    return CurriculumPlan(
        level=level,
        stages=stages,
        replay_ratio=replay,
        rationale=explain_plan(command, level, success_rate, len(stages), replay),
    )


def count_stages(level: CurriculumLevel, new_items: int) -> int:
    """The level's number of stages, or fewer where a stage would have too few items."""
    return min(STAGES[level], max(1, new_items // MINIMUM_STAGE_ITEMS))


def build_stages(count: int) -> tuple[CurriculumStage, ...]:
    """Stages, easiest first; the last one has every item.

    Each stage adds an equal part of the items and has an equal part of the steps, so that one
    epoch shows every item about once.
    """
    return tuple(
        CurriculumStage(
            name=f"{number} of {count}",
            maximum_difficulty=1.0 if number == count else number / count,
            step_proportion=1 / count,
        )
        for number in range(1, count + 1)
    )


def choose_replay_ratio(method: TrainingMethod, requested: float | None) -> float:
    """The job's own ratio; by default `CONTINUAL_REPLAY` for a continual training, else none."""
    if requested is not None:
        return requested
    return CONTINUAL_REPLAY if method is TrainingMethod.CONTINUAL else 0.0


def explain_plan(
    command: PlanCurriculum,
    level: CurriculumLevel,
    success_rate: float | None,
    stages: int,
    replay: float,
) -> str:
    """The reasons for the plan, as a sentence."""
    known = (
        "no rated answers yet"
        if success_rate is None
        else f"{success_rate:.0%} of rated answers right"
    )
    pacing = "all at once" if stages == 1 else f"in {stages} stages, easiest first"
    again = f"{replay:.2g} replayed per new item" if replay else "no replay"
    source = "requested by the job" if command.replay_ratio is not None else command.method.value
    return (
        f"Level {int(level)} ({level.name.lower()}), {known}: "
        f"{command.new_items} new items {pacing}; {again} ({source})."
    )
