from pathlib import PurePosixPath

from tests.house.layout import median_modules, modules_per_folder, sibling_cycles
from tests.house.source_tree import Source


def module(path: str, text: str = "") -> Source:
    return Source(PurePosixPath(path), text)


def test_modules_are_counted_in_their_own_folder() -> None:
    modules = [module("shared/a.py"), module("shared/kafka/b.py"), module("shared/kafka/c.py")]

    assert modules_per_folder(modules) == {"shared": 1, "shared/kafka": 2}


def test_package_markers_and_entry_points_are_not_counted() -> None:
    assert modules_per_folder([module("shared/__init__.py"), module("shared/__main__.py")]) == {}


def test_the_median_of_no_folder_is_zero() -> None:
    assert median_modules({}) == 0
    assert median_modules({"a": 1, "b": 4}) == 2.5


def test_siblings_that_import_each_other_are_a_cycle() -> None:
    modules = [
        module("shared/a.py", "from shared.b import x"),
        module("shared/b.py", "import shared.a"),
        module("shared/c.py", "import shared.a"),
    ]

    assert sibling_cycles(modules) == [("shared.a", "shared.b")]


def test_folders_are_in_a_cycle_through_modules_that_are_not() -> None:
    modules = [
        module("services/x/one/a.py", "from services.x.two import b"),
        module("services/x/two/b.py"),
        module("services/x/two/c.py", "from services.x.one.d import f"),
        module("services/x/one/d.py"),
    ]

    assert sibling_cycles(modules) == [("services.x.one", "services.x.two")]


def test_imports_in_one_direction_are_no_cycle() -> None:
    modules = [module("shared/a.py", "from shared import b"), module("shared/b.py")]

    assert sibling_cycles(modules) == []
