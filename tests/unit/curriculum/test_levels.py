"""The file of levels, and the skill that a name stands for."""

import pytest

from archon_contracts.rules.task_types import LEVEL_OF, TaskType
from archon_contracts.values import SkillDefinition
from services.curriculum.errors import LevelsInvalid
from services.curriculum.levels import find_skill_of, read_levels


def test_the_file_has_every_task_type_on_its_level() -> None:
    assert {each.task_type: each.level for each in read_levels()} == LEVEL_OF


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("levels: [", "cannot be read"),
        ("levels:\n - {level: 1, tasks: [{task_type: juggling, description: x}]}", "juggling"),
        ("levels:\n - {level: 9, tasks: []}\n", "basic_reasoning"),
    ],
)
def test_a_broken_file_is_refused_with_what_is_wrong(text: str, named: str) -> None:
    with pytest.raises(LevelsInvalid, match=named):
        read_levels(text)


def test_a_skill_of_the_agent_comes_before_the_rules() -> None:
    own = [SkillDefinition(name="refunds", task_type=TaskType.ERROR_HANDLING)]

    assert find_skill_of("refunds", "single_step_problems", own).level == 2
    assert find_skill_of("creative_problem_solving", "single_step_problems", own).level == 4
    assert find_skill_of("other", "complex_reasoning", own).level == 3
    assert find_skill_of("other", "of a later release", own).level == 1
