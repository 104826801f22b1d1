"""The files of one revision: Python modules, SQL and Markdown, each read and parsed once."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

PRODUCT = ("services", "shared", "contracts", "deploy")
SKIPPED = {"__pycache__", "build", "var", "node_modules"}
SUFFIXES = {".py", ".sql", ".md"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One text file and its path below the root of the tree."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def is_product(self) -> bool:
        return self.path.parts[0] in PRODUCT

    @property
    def module(self) -> str:
        """The dotted name under which it is imported, for instance `services.gateway.app`."""
        parts = self.path.with_suffix("").parts
        if parts[:2] == ("contracts", "inference"):
            parts = parts[2:]
        elif parts[0] == "contracts":
            parts = parts[1:]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def functions(self) -> Iterator[Function]:
        """All functions and methods, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """The classes at module level."""
        return (node for node in self.tree.body if isinstance(node, ast.ClassDef))


def read_tree(root: Path) -> list[Source]:
    """Every source of the tree at `root`, in the order of paths."""
    return [
        Source(PurePosixPath(path.relative_to(root).as_posix()), path.read_text())
        for path in sorted(root.rglob("*"))
        if path.suffix in SUFFIXES and path.is_file() and _belongs(path.relative_to(root))
    ]


def modules(sources: Iterable[Source]) -> list[Source]:
    """The Python modules among the sources."""
    return [source for source in sources if source.path.suffix == ".py"]


def product_modules(sources: Iterable[Source]) -> list[Source]:
    """The Python modules that are shipped or run, without the tests."""
    return [source for source in modules(sources) if source.is_product]


def _belongs(path: Path) -> bool:
    return not any(
        part in SKIPPED or part.startswith(".") or part.endswith(".egg-info") for part in path.parts
    )
