"""The twelve task types of the curriculum, their levels, and rules that name an item's.

An item that states its skill keeps it. The rules are for the others: they read only the request and
the right answer, so that everybody finds the same type, and they are ordered from the rarest mark
to the most common. Two types of the highest level have no mark in a text (what is new to an agent
depends on the agent), so that only a person or a generator can name them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final


class CurriculumLevel(IntEnum):
    """How far an agent is, or what a task asks for."""

    BASIC = 1
    INTERMEDIATE = 2
    ADVANCED = 3
    EXPERT = 4


class TaskType(StrEnum):
    """What a task asks of an agent."""

    SIMPLE_TOOL_USAGE = "simple_tool_usage"
    BASIC_REASONING = "basic_reasoning"
    SINGLE_STEP = "single_step_problems"
    MULTI_STEP = "multi_step_workflows"
    CONTEXT_MANAGEMENT = "context_management"
    ERROR_HANDLING = "error_handling"
    COMPLEX_REASONING = "complex_reasoning"
    MULTI_AGENT = "multi_agent_collaboration"
    EDGE_CASES = "edge_case_handling"
    NOVEL_SCENARIOS = "novel_scenarios"
    CREATIVE = "creative_problem_solving"
    AUTONOMOUS_DECISIONS = "autonomous_decision_making"


LEVEL_OF: Final[Mapping[TaskType, CurriculumLevel]] = {
    task: CurriculumLevel(1 + place // 3) for place, task in enumerate(TaskType)
}
"""Three types on each level, in the order in which they are declared."""

COMPLEX_WORDS: Final = 40
"""Words of a request from which a question with conditions counts as complex."""
CALLS: Final = re.compile(r'"(?:name|function|tool)"\s*:|\b\w+\([^()]*\)')

_MARKS: Final[tuple[tuple[TaskType, re.Pattern[str]], ...]] = (
    (
        TaskType.MULTI_AGENT,
        re.compile(r"\b(hand (it )?over to|delegate|ask the \w+ agent|(other|both|two) agents)\b"),
    ),
    (
        TaskType.AUTONOMOUS_DECISIONS,
        re.compile(r"\b(decide (yourself|for me|on your own)|without asking( me)?|on your own)\b"),
    ),
    (
        TaskType.CREATIVE,
        re.compile(
            r"\b(invent|brainstorm|compose|write (me )?an? (\w+ )?(poem|novel|song|slogan|joke)"
            r"|come up with)\b"
        ),
    ),
    (
        TaskType.ERROR_HANDLING,
        re.compile(
            r"\b(error|exception|fail(s|ed|ure)?|crash(es|ed)?|time[sd]? ?out|retry|"
            r"(not|isn't|doesn't|won't|stopped) work(ing)?|broken)\b"
        ),
    ),
    (
        TaskType.CONTEXT_MANAGEMENT,
        re.compile(
            r'("role"\s*:.*"role"\s*:)|(^|\n)\s*(user|assistant|agent)\s*:.*\n\s*'
            r"(user|assistant|agent)\s*:|\b(as (i|we) (said|mentioned)|earlier you|same as before)"
            r"\b",
            re.DOTALL,
        ),
    ),
    (
        TaskType.MULTI_STEP,
        re.compile(r"\b((and|,) then|after that|afterwards|once (that|it) is|first\b.*\bthen)\b"),
    ),
)
_CONDITION: Final = re.compile(
    r"\b(if|unless|provided that|given that|assuming|at least|at most)\b"
)
_QUESTION: Final = re.compile(
    r"\b(why|how (many|much|long|far|old)|compare|difference between|which is (more|less|better)"
    r"|calculate|explain)\b"
)


def find_task_type(request: str, target: str = "") -> TaskType:
    """The task type of an item by what its request and its right answer look like.

    Never raises; a text without any mark is a single step.
    """
    text = request.casefold()
    words = len(text.split())
    calls = len(CALLS.findall(target))
    for task, mark in _MARKS:
        if mark.search(text):
            return task
    if calls > 1:
        return TaskType.MULTI_STEP
    if not any(each.isalnum() for each in text):
        return TaskType.EDGE_CASES
    if words >= COMPLEX_WORDS and _CONDITION.search(text):
        return TaskType.COMPLEX_REASONING
    if calls == 1:
        return TaskType.SIMPLE_TOOL_USAGE
    if _QUESTION.search(text):
        return TaskType.BASIC_REASONING
    return TaskType.SINGLE_STEP


def find_skill(skill: str, request: str, target: str = "") -> str:
    """The skill that an item states, or else the task type that the rules find."""
    return skill or find_task_type(request, target)
