from pathlib import PurePosixPath

from tests.house.feedback_path import files_on_the_path
from tests.house.source_tree import Source
from tests.house.text_figures import comments_per_100_lines, count_comments, duplicate_lines


def module(path: str, text: str) -> Source:
    return Source(PurePosixPath(path), text)


def test_comments_are_counted_per_100_lines_of_code() -> None:
    text = "# why\na = 1  # unit\n\nb = 2\nc = 3\nd = 4\n"

    assert comments_per_100_lines([module("shared/a.py", text)]) == 50


def test_no_code_has_no_comments() -> None:
    assert comments_per_100_lines([]) == 0


def test_directives_and_strings_are_no_comments() -> None:
    assert count_comments("a = '# no'  # noqa: E501\nb = 1  # type: ignore[x]\n") == 0


def test_lines_of_a_repeated_run_are_duplicates() -> None:
    run = "a = 1\nb = 2\nc = 3\n"
    modules = [module("shared/a.py", run + "d = 4\n"), module("shared/b.py", "e = 5\n" + run)]

    assert duplicate_lines(modules, window=3) == 6


def test_indentation_and_comments_hide_no_duplicate() -> None:
    modules = [
        module("shared/a.py", "a = 1\nb = 2\n"),
        module("shared/b.py", "if x:\n    a = 1\n    # why\n    b = 2\n"),
    ]

    assert duplicate_lines(modules, window=2) == 4


def test_different_lines_are_no_duplicates() -> None:
    assert duplicate_lines([module("shared/a.py", "a = 1\nb = 2\nc = 3\n")], window=2) == 0


def test_the_path_of_a_feedback_event_counts_each_module_once() -> None:
    readme = (
        "## Other\n[`z`](z.py)\n"
        "## Follow one feedback event\n1. [`A.f`](a.py) [`B.g`](b.py)\n2. [`A.h`](a.py)\n"
        "## Next\n[`c`](c.py)\n"
    )

    assert files_on_the_path(readme) == ["a.py", "b.py"]


def test_a_readme_without_the_section_has_no_path() -> None:
    assert files_on_the_path("# Title\n") == []
