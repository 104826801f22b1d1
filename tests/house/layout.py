"""Figures of the folders: modules in each, and import cycles between siblings."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from tests.house.source_tree import Source

UNCOUNTED = {"__init__.py", "__main__.py", "conftest.py"}
# The folders below which siblings must not import each other in a cycle.
CONTAINERS = ("services", "shared", "deploy", "archon_contracts", "archon_inference")


def modules_per_folder(modules: Iterable[Source]) -> dict[str, int]:
    """How many modules lie directly in each folder; package markers are not counted."""
    counted = (m.path for m in modules if m.path.name not in UNCOUNTED)
    return dict(Counter(path.parent.as_posix() for path in counted))


def median_modules(folders: Mapping[str, int]) -> float:
    """The median folder's number of modules."""
    return median(folders.values()) if folders else 0.0


def sibling_cycles(modules: Iterable[Source]) -> list[tuple[str, ...]]:
    """Groups of siblings (modules or folders of one package) that import each other in a cycle.

    Each group is one strongly connected component, its members sorted.
    """
    edges = list(_imports([m for m in modules if m.module.startswith(CONTAINERS)]))
    packages = {package for importer, _ in edges for package in _ancestors(importer)}
    found = []
    for package in sorted(packages):
        graph = _between_children(package, edges)
        found += [tuple(sorted(group)) for group in _components(graph) if len(group) > 1]
    return found


def _imports(modules: list[Source]) -> Iterator[tuple[str, str]]:
    """Pairs of importing and imported module; names imported from a package are resolved."""
    names = {module.module for module in modules}
    for module in modules:
        for target in _targets(module):
            parent = target.rpartition(".")[0]
            resolved = target if target in names else parent if parent in names else None
            if resolved and resolved != module.module:
                yield module.module, resolved


def _targets(module: Source) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _ancestors(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _between_children(package: str, edges: list[tuple[str, str]]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for importer, imported in edges:
        start, end = _child(package, importer), _child(package, imported)
        if start and end and start != end:
            graph.setdefault(start, set()).add(end)
            graph.setdefault(end, set())
    return graph


def _child(package: str, module: str) -> str | None:
    if not module.startswith(f"{package}."):
        return None
    return f"{package}.{module.removeprefix(f'{package}.').partition('.')[0]}"


def _components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Strongly connected components: nodes that reach each other."""
    reach = {node: _reachable(node, graph) for node in graph}
    seen: set[str] = set()
    found = []
    for node in graph:
        if node not in seen:
            group = {other for other in reach[node] if node in reach[other]} | {node}
            seen |= group
            found.append(group)
    return found


def _reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    open_nodes = list(graph[start])
    while open_nodes:
        node = open_nodes.pop()
        if node not in found:
            found.add(node)
            open_nodes += graph[node]
    return found
