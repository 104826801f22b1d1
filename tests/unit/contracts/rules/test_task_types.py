"""Rules that name an item's task type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.rules.task_types import TaskType, find_skill, find_task_type

LONG = "I travel next week " * 10 + "and would book the hotel if the price is at most 90 euros"


@pytest.mark.parametrize(
    ("request_text", "target", "expected"),
    [
        ("set an alarm for six", "", TaskType.SINGLE_STEP),
        ("set an alarm for six", '{"name": "set_alarm", "at": "6:00"}', TaskType.SIMPLE_TOOL_USAGE),
        ("book a table", 'find(city="x") book(id=1)', TaskType.MULTI_STEP),
        ("how many miles are left", "", TaskType.BASIC_REASONING),
        ("find a flight and then book a hotel there", "", TaskType.MULTI_STEP),
        ("user: hello\nassistant: hi\nuser: and the other one", "", TaskType.CONTEXT_MANAGEMENT),
        ("my card does not work, isn't working at all", "", TaskType.ERROR_HANDLING),
        (LONG, "", TaskType.COMPLEX_REASONING),
        ("delegate the translation", "", TaskType.MULTI_AGENT),
        ("???", "", TaskType.EDGE_CASES),
        ("write me a poem on rain", "", TaskType.CREATIVE),
        ("decide for me and order", "", TaskType.AUTONOMOUS_DECISIONS),
    ],
)
def test_marks_name_the_task_type(request_text: str, target: str, expected: TaskType) -> None:
    assert find_task_type(request_text, target) is expected


@given(st.text(max_size=200), st.text(max_size=100))
def test_any_text_has_one_task_type(request_text: str, target: str) -> None:
    assert find_task_type(request_text, target) is find_task_type(request_text, target)


def test_a_stated_skill_is_kept() -> None:
    assert find_skill("refunds", "set an alarm") == "refunds"
    assert find_skill("", "set an alarm") == TaskType.SINGLE_STEP
