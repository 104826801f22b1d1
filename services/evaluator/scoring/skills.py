"""How many items of each skill the models answered right: pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from archon_contracts.events import SkillResult
from archon_contracts.formats import PredictionRow
from services.evaluator.domain import Role

MAX_SKILLS: Final = 50
"""Of each model: an event must fit into a record, however a suite names its skills."""
MAX_NAME: Final = 128
COUNTED: Final = (Role.CANDIDATE, Role.DEPLOYED)


def count_skills(predictions: Mapping[Role, Sequence[PredictionRow]]) -> tuple[SkillResult, ...]:
    """Scored items per skill of the candidate and the deployed version, largest skills first.

    Rows of releases that kept no skill, and items without a score, are left out.
    """
    return tuple(
        result
        for role in COUNTED
        if role in predictions
        for result in _count(role, predictions[role])
    )


def _count(role: Role, rows: Sequence[PredictionRow]) -> list[SkillResult]:
    by_skill: dict[str, list[PredictionRow]] = defaultdict(list)
    for row in rows:
        if row.skill and row.correct is not None:
            by_skill[row.skill[:MAX_NAME]].append(row)
    largest = sorted(by_skill.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        SkillResult(
            model=role,
            skill=skill,
            task_type=Counter(row.task_type for row in found).most_common(1)[0][0],
            items=len(found),
            correct=sum(row.correct is True for row in found),
        )
        for skill, found in largest[:MAX_SKILLS]
    ]
