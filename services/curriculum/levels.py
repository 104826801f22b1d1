"""The levels and their task types, as `levels.yaml` describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import yaml

from archon_contracts.rules.task_types import LEVEL_OF, CurriculumLevel, TaskType
from archon_contracts.values import SkillDefinition
from services.curriculum.errors import LevelsInvalid

LEVELS_FILE: Final = "levels.yaml"


@dataclass(frozen=True, slots=True)
class TaskDescription:
    """One task type and where it stands."""

    task_type: TaskType
    level: CurriculumLevel
    description: str


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill with its task type; its level is that of the type."""

    name: str
    task_type: TaskType

    @property
    def level(self) -> CurriculumLevel:
        """What the skill asks for."""
        return LEVEL_OF[self.task_type]


def read_levels(text: str | None = None) -> tuple[TaskDescription, ...]:
    """The task types in the order of their levels; without `text` those of `levels.yaml`.

    Raises:
        LevelsInvalid: it is no YAML, or does not have each task type once on its own level.
    """
    if text is None:
        text = files("services.curriculum").joinpath(LEVELS_FILE).read_text()
    try:
        found = tuple(
            TaskDescription(
                TaskType(task["task_type"]),
                CurriculumLevel(level["level"]),
                str(task["description"]),
            )
            for level in yaml.safe_load(text)["levels"]
            for task in level["tasks"]
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise LevelsInvalid(f"{LEVELS_FILE} cannot be read: {error!r}") from error
    placed = {each.task_type: each.level for each in found}
    wrong = [task for task in TaskType if placed.get(task) != LEVEL_OF[task]]
    if wrong or len(found) != len(placed):
        raise LevelsInvalid(
            f"{LEVELS_FILE}: each task type stands once, on its own level; look at "
            f"{', '.join(wrong) or 'those that stand twice'}"
        )
    return found


def find_skill_of(name: str, task_type_by_rules: str, defined: Sequence[SkillDefinition]) -> Skill:
    """The skill of this name: the agent's own, else a task type, else what the rules found.

    A type that this release does not know counts as a single step.
    """
    own: Mapping[str, TaskType] = {each.name: each.task_type for each in defined}
    for candidate in (own.get(name), name, task_type_by_rules):
        if candidate in set(TaskType):
            return Skill(name, TaskType(candidate))
    return Skill(name, TaskType.SINGLE_STEP)
