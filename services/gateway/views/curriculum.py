"""What the API returns of an agent's curriculum, and of the history behind its triggers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from archon_contracts.events import CurriculumPlan, NextTask, SkillProgress, TaskCoverage
from archon_contracts.values import Estimate
from services.gateway.views.base import View


class LevelChangeView(View):
    """The newest change of an agent's level."""

    from_level: int
    to_level: int
    success_rate: float
    reason: str = Field(default="", description="The evidence, and the limit that it passed.")
    changed_at: datetime


class CurriculumView(View):
    """An agent's level and skills, the evidence on them, and what is planned."""

    agent_id: str
    level: int = Field(default=1, description="1 basic, 2 intermediate, 3 advanced, 4 expert.")
    reason: str = Field(description="Why it is on this level, and what would change it.")
    measured_at: datetime | None = Field(default=None, description="Absent: nothing was measured.")
    feedback_rate: Estimate | None = Field(
        default=None, description="Of rated answers on this level; absent: none were rated."
    )
    skills: tuple[SkillProgress, ...] = Field(
        default=(), description="By the newest evaluation of each."
    )
    coverage: tuple[TaskCoverage, ...] = Field(
        default=(), description="Every task type, level by level."
    )
    next_tasks: tuple[NextTask, ...] = Field(
        default=(), description="What to practise next, most needed first."
    )
    last_change: LevelChangeView | None = None
    plan: CurriculumPlan | None = Field(default=None, description="Of the newest planned job.")
    planned_for: UUID | None = Field(default=None, description="That job.")
    planned_at: datetime | None = None


class HistoryHourView(View):
    """Feedback of one hour."""

    hour: datetime
    answers: int = Field(description="Answers with feedback.")
    wrong: int = Field(description="Corrected ones, or what the ratings say if that is more.")


class FeedbackHistoryView(View):
    """What a back-test of trigger policies replays."""

    hours: tuple[HistoryHourView, ...] = Field(description="Hours with feedback, oldest first.")
    deployed_at: tuple[datetime, ...] = Field(description="When versions were deployed.")
    training_seconds: float | None = Field(
        default=None, description="Median of the newest trainings [s]; absent: none has ended."
    )
