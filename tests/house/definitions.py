"""Figures of classes and functions: homes, protocols, lengths and callers."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import PurePosixPath

from tests.house.source_tree import Function, Source

# One class name, one meaning; these names are roles that every service has.
ROLES = {
    "Settings": "each service's settings class; always read as `settings.Settings` of its package",
}
PORTS = "ports.py"
ITEM_FIELDS = {"input"}
ITEM_ANSWERS = {"expected", "target"}
# Classes that carry an input with its answer and are no item to train on; each with its reason.
OTHER_FORMATS = {
    "FeedbackReceived": "the event: an interaction and what a user made of it",
    "SuiteItem": "an item to evaluate with, which the agent must not have learned from",
    "PredictionRow": "a model's answer to an item of a suite",
    "SuiteCase": "a request of a suite in YAML, with assertions on the answer",
    "CaseResult": "an agent's answer to a case of a suite, scored",
    "LogLine": "one uploaded interaction with its error and latency, for the hourly statistics",
    "Sample": "a pair of texts between the generator's steps; what leaves it is a TrainingItem",
}


def class_homes(modules: Iterable[Source]) -> dict[str, list[str]]:
    """The class names that more than one module defines, with the modules; roles are left out.

    A protocol in a `ports.py` has the name of what it is a part of, so it is no home of its own.
    """
    homes: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in module.classes():
            if not (module.path.name == PORTS and is_protocol(node)):
                homes[node.name].append(module.path.as_posix())
    return {
        name: places
        for name, places in sorted(homes.items())
        if len(places) > 1 and name not in ROLES
    }


def protocols(modules: Iterable[Source]) -> list[tuple[str, PurePosixPath]]:
    """Every protocol class and its module."""
    return [(n.name, m.path) for m in modules for n in m.classes() if is_protocol(n)]


def is_protocol(node: ast.ClassDef) -> bool:
    """Whether `Protocol` or `Protocol[T]` is among the bases."""
    bases = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return any(_name_of(base) == "Protocol" for base in bases)


def duplicate_protocols(modules: Iterable[Source]) -> dict[str, list[str]]:
    """Protocols that one service or package states twice, by name or by the same members."""
    found: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        area = "/".join(module.path.parts[:2])
        for node in filter(is_protocol, module.classes()):
            members = ", ".join(sorted(map(_signature, _methods(node))))
            found[f"{area}: {node.name}"].append(f"{module.path.as_posix()}:{node.name}")
            found[f"{area}: ({members})"].append(f"{module.path.as_posix()}:{node.name}")
    groups = {tuple(places): key for key, places in found.items() if len(places) > 1}
    return {key: list(places) for places, key in groups.items()}


def training_item_models(modules: Iterable[Source]) -> list[str]:
    """Classes with fields for an input and for the answer wanted to it, in services and formats."""
    return [
        f"{module.path.as_posix()}:{node.name}"
        for module in modules
        for node in module.classes()
        if module.path.parts[0] in {"services", "contracts"} and node.name not in OTHER_FORMATS
        if (fields := _fields(node)) & ITEM_FIELDS and fields & ITEM_ANSWERS
    ]


def function_lengths(modules: Iterable[Source]) -> list[int]:
    """Lines of each function from its signature to its end, without the docstring."""
    return [length(function) for module in modules for function in module.functions()]


def length(function: Function) -> int:
    """Lines from the signature to the end, without decorators and docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def percentile(values: Sequence[int], part: float) -> int:
    """The smallest value that at least `part` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(ceil(part * len(values)) - 1, 0)] if values else 0


def one_call_functions(modules: Sequence[Source]) -> list[str]:
    """Functions without a decorator whose name is used exactly once in the product.

    Special methods are left out. Names are compared, not objects: two functions of one name count
    as used by both callers, so the figure is a lower bound.
    """
    used = Counter(name for module in modules for name in _names_used(module))
    return [
        f"{module.path.as_posix()}:{function.name}"
        for module in modules
        for function in module.functions()
        if used[function.name] == 1
        and not function.decorator_list
        and not function.name.startswith("__")
    ]


def _methods(node: ast.ClassDef) -> list[Function]:
    return [each for each in node.body if isinstance(each, Function)]


def _signature(method: Function) -> str:
    return f"{method.name}({ast.unparse(method.args)})"


def _names_used(module: Source) -> list[str]:
    nodes = ast.walk(module.tree)
    names = (_name_of(n) for n in nodes if isinstance(n, ast.Name | ast.Attribute))
    return [name for name in names if name]


def _name_of(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _fields(node: ast.ClassDef) -> set[str]:
    assigned = (s for s in node.body if isinstance(s, ast.AnnAssign))
    return {s.target.id for s in assigned if isinstance(s.target, ast.Name)}
