"""YAML as plain values, with the line of each: what a message needs to name a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from services.evaluator.errors import SuiteInvalid

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """A document's value, and in which line each part of it begins."""

    value: Any
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of a place, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(yaml.SafeLoader):
    """Refuses aliases: a few lines of them stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs
            line = event.start_mark.line + 1
            raise SuiteInvalid(f"line {line}: aliases are not allowed; repeat what they stand for")
        return super().compose_node(parent, index)


def read_yaml(text: str, name: str) -> LocatedYaml:
    """The one document of a text.

    Raises:
        SuiteInvalid: no YAML, several documents, or a key twice; names line and field.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        value = None if node is None else _build(loader, node, (), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise SuiteInvalid(f"{place}: is no YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise SuiteInvalid(f"{name}: is no YAML: {error}.") from error
    except (RecursionError, ValueError) as error:
        raise SuiteInvalid(f"{name}: cannot be read: {error}.") from error
    except SuiteInvalid as error:
        raise SuiteInvalid(f"{name}: {error}") from error
    finally:
        loader.dispose()
    return LocatedYaml(value, lines)


def _build(loader: _Loader, node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, each, (*path, n), lines) for n, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(loader, node, path, lines)
    return loader.construct_object(node)


def _build_mapping(
    loader: _Loader, node: yaml.MappingNode, path: Path, lines: dict[Path, int]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = key_node.value, key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise SuiteInvalid(f"line {line}: a field's name is a word")
        if key in found:
            raise SuiteInvalid(f"line {line}: {key} is there twice; keep one")
        found[key] = _build(loader, value_node, (*path, key), lines)
        lines[(*path, key)] = line
    return found
