"""Figures of the text itself: comments and repeated lines."""

import io
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tests.house.source_tree import Source

WINDOW = 6


def comments_per_100_lines(modules: Iterable[Source]) -> float:
    """Comments per 100 lines that are neither blank nor a comment of their own."""
    comments = code = 0
    for module in modules:
        lines = [line.strip() for line in module.text.splitlines() if line.strip()]
        own = sum(line.startswith("#") for line in lines)
        comments += count_comments(module.text)
        code += len(lines) - own
    return round(100 * comments / code, 1) if code else 0.0


def count_comments(text: str) -> int:
    """Comments of a module, without directives to tools such as `# noqa`."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    texts = (t.string.removeprefix("#").strip() for t in tokens if t.type == tokenize.COMMENT)
    return sum(not text.startswith(("noqa", "type:", "pragma:", "!")) for text in texts)


def duplicate_lines(modules: Iterable[Source], window: int = WINDOW) -> int:
    """Lines that lie in a run of `window` equal lines which occurs more than once.

    Indentation, blank lines, comments and imports do not count.
    """
    places: dict[tuple[str, ...], list[tuple[str, Sequence[int]]]] = defaultdict(list)
    for module in modules:
        lines = _significant(module.text)
        for start in range(len(lines) - window + 1):
            run = lines[start : start + window]
            numbers = [number for number, _ in run]
            places[tuple(text for _, text in run)].append((module.path.as_posix(), numbers))
    return len(
        {
            (path, number)
            for found in places.values()
            if len(found) > 1
            for path, numbers in found
            for number in numbers
        }
    )


def _significant(text: str) -> list[tuple[int, str]]:
    stripped = ((n, line.strip()) for n, line in enumerate(text.splitlines()))
    return [
        (n, line)
        for n, line in stripped
        if line and not line.startswith(("#", "import ", "from ")) and line not in {")", "]", "}"}
    ]
