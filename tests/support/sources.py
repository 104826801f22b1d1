"""The product's own source files, parsed."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (
    "services",
    "shared",
    "contracts/archon_contracts",
    "contracts/inference/archon_inference",
    "deploy",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef

_STATEMENT = re.compile(
    r"^\s*(SELECT\s[^.]+?\sFROM\s+\w+\s*(\w+\s*)?($|;|WHERE|JOIN|ORDER|GROUP|LIMIT|FOR)|"
    r"INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|"
    r"(CREATE|ALTER|DROP)\s+(TABLE|INDEX|SCHEMA|TYPE)\b)",
    re.IGNORECASE,
)


@cache
def product_files() -> tuple[Path, ...]:
    """Every Python file of the product."""
    found = (path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py"))
    return tuple(sorted(path for path in found if "__pycache__" not in path.parts))


def name_of(path: Path) -> str:
    """The path below the repository's root."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """The file's syntax tree."""
    return ast.parse(path.read_text())


def functions_of(path: Path) -> Iterator[Function]:
    """All functions of a file, nested ones too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: Function) -> int:
    """Lines from the signature to the end; decorators do not count."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def imports_of(path: Path) -> set[str]:
    """Top-level names of the packages that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def keywords_of(path: Path) -> set[str]:
    """Names of the keyword arguments of all calls in a file."""
    calls = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    return {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}


def attributes_of(path: Path) -> set[str]:
    """Dotted names that a file uses, such as `os.environ`."""
    nodes = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute))
    return {f"{n.value.id}.{n.attr}" for n in nodes if isinstance(n.value, ast.Name)}


def sql_in(path: Path) -> list[str]:
    """Strings of a file that are SQL statements."""
    strings = (
        node.value
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return [text for text in strings if _STATEMENT.match(text)]
