import ast
from pathlib import PurePosixPath

from tests.house.definitions import (
    class_homes,
    duplicate_protocols,
    length,
    one_call_functions,
    percentile,
    protocols,
    training_item_models,
)
from tests.house.source_tree import Source

PROTOCOL = "class Store(Protocol):\n    def get(self, key: str) -> str: ...\n"


def module(path: str, text: str) -> Source:
    return Source(PurePosixPath(path), text)


def test_a_class_name_in_two_modules_has_two_homes() -> None:
    modules = [module("shared/a.py", "class A: ..."), module("shared/b.py", "class A: ...")]

    assert class_homes(modules) == {"A": ["shared/a.py", "shared/b.py"]}


def test_a_settings_class_may_stand_in_each_service() -> None:
    modules = [
        module("services/x/settings.py", "class Settings: ..."),
        module("services/y/settings.py", "class Settings: ..."),
    ]

    assert class_homes(modules) == {}


def test_a_port_may_have_the_name_of_what_it_is_a_part_of() -> None:
    modules = [module("services/x/ports.py", PROTOCOL), module("shared/s.py", "class Store: ...")]

    assert class_homes(modules) == {}


def test_generic_protocols_are_protocols() -> None:
    modules = [module("shared/a.py", "class P(Protocol[T]): ...\nclass Q(Base): ...")]

    assert protocols(modules) == [("P", PurePosixPath("shared/a.py"))]


def test_protocols_of_one_name_in_one_service_are_duplicates() -> None:
    modules = [
        module("services/x/a.py", PROTOCOL),
        module("services/x/b.py", "class Store(Protocol):\n    def put(self) -> None: ..."),
    ]

    assert list(duplicate_protocols(modules)) == ["services/x: Store"]


def test_protocols_of_the_same_members_are_duplicates() -> None:
    modules = [
        module("services/x/a.py", PROTOCOL),
        module("services/x/b.py", PROTOCOL.replace("Store", "Reader")),
    ]

    assert len(duplicate_protocols(modules)) == 1


def test_two_services_may_state_the_same_protocol() -> None:
    modules = [module("services/x/ports.py", PROTOCOL), module("services/y/ports.py", PROTOCOL)]

    assert duplicate_protocols(modules) == {}


def test_a_class_with_an_input_and_a_target_is_a_training_item() -> None:
    text = "class Item:\n    input: str\n    target: str\nclass Query:\n    input: str\n"

    assert training_item_models([module("services/x/a.py", text)]) == ["services/x/a.py:Item"]


def test_the_docstring_does_not_count_into_a_functions_length() -> None:
    function = ast.parse('def f() -> int:\n    """One.\n\n    Two.\n    """\n    return 1\n').body[
        0
    ]

    assert isinstance(function, ast.FunctionDef)
    assert length(function) == 2


def test_percentiles_are_nearest_ranks() -> None:
    assert percentile([5, 1, 3, 2, 4], 0.5) == 3
    assert percentile(list(range(1, 11)), 0.9) == 9
    assert percentile([], 0.9) == 0


def test_a_function_that_is_named_once_has_one_call() -> None:
    text = "def f(): ...\ndef g(): ...\n@route\ndef h(): ...\nf()\ng()\ng()\nh()\n"

    assert one_call_functions([module("shared/a.py", text)]) == ["shared/a.py:f"]
