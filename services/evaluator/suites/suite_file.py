"""A suite from its files: strict, and with errors that name line, field and fix."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from archon_contracts.formats import SUITE_FILES, LineInvalid, SuiteItem, read_jsonl
from services.evaluator.errors import EmptySuite, SuiteInvalid
from services.evaluator.suites import suite_model
from services.evaluator.suites.suite_model import MAXIMUM_CASES, Suite, SuiteCase, SuitePart
from services.evaluator.suites.yaml_lines import LocatedYaml, read_yaml

MAXIMUM_BYTES: Final = 64 * 1024 * 1024
SUITE_FILE: Final = "suite.yaml"
"""A suite's file in a folder of one."""


def load_suite(path: Path) -> tuple[Suite, str]:
    """The suite in a file, or in the `suite.yaml` of a folder, and the digest of its files.

    Raises:
        SuiteInvalid: the message names file, line and field, and says what would be right.
        EmptySuite: it has no case.
    """
    if path.is_dir():
        path = path / SUITE_FILE
    if not path.is_file():
        raise SuiteInvalid(f"There is no suite {path}; name a YAML file.")
    if path.stat().st_size > MAXIMUM_BYTES:
        raise SuiteInvalid(f"{path.name} is larger than 64 MiB; put its cases into cases_file.")
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    try:
        suite = parse_suite(content.decode(), path.name)
    except UnicodeDecodeError as error:
        raise SuiteInvalid(f"{path.name}: is not UTF-8 at byte {error.start}.") from error
    if suite.cases_file:
        file = _cases_path(path, suite.cases_file)
        digest.update(file.read_bytes())
        suite = _with_cases_of(suite, file)
    if not suite.cases:
        raise EmptySuite(f"{path.name}: cases: holds no case; add one, or name a cases_file.")
    return suite, digest.hexdigest()


def load_suite_folder(
    folder: Path, name: str, *, match: Literal["exact", "text"] = "exact"
) -> tuple[Suite, str]:
    """The suite of a folder: its `suite.yaml`, or the items of a suite or of a dataset's test part.

    Items alone make a suite of that name without thresholds. Raises as `load_suite`.
    """
    if (folder / SUITE_FILE).is_file():
        return load_suite(folder)
    for file in SUITE_FILES:
        path = folder / file
        if path.is_file():
            suite = _with_cases_of(Suite(suite=name, match=match, test_answers=False), path)
            if not suite.cases:
                raise EmptySuite(f"{name}: {file} holds no item; add one.")
            return suite, hashlib.sha256(path.read_bytes()).hexdigest()
    raise EmptySuite(f"{name}: has none of {', '.join((SUITE_FILE, *SUITE_FILES))}.")


def parse_suite(text: str, name: str) -> Suite:
    """The suite that a YAML text says, without its `cases_file`. Raises as `load_suite`."""
    located = read_yaml(text, name)
    if not isinstance(located.value, dict):
        raise SuiteInvalid(f"{name}:1: a suite is a mapping that begins with `suite: NAME`.")
    try:
        suite = Suite.model_validate(located.value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=True)
        raise SuiteInvalid(
            "\n".join(_describe(name, located, fault) for fault in faults[:10])
        ) from error
    seen: set[str] = set()
    for number, case in enumerate(suite.cases):
        if case.id in seen:
            line = located.line_of(("cases", number, "id"))
            raise SuiteInvalid(
                f"{name}:{line}: cases[{number}].id: {case.id!r} is the id of two cases; "
                "give each its own."
            )
        seen.add(case.id)
    return suite


def _cases_path(suite: Path, name: str) -> Path:
    folder = suite.parent.resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise SuiteInvalid(f"{suite.name}: cases_file: {name} is not beside the suite; move it.")
    if not file.is_file():
        raise SuiteInvalid(f"{suite.name}: cases_file: there is no {name} beside the suite.")
    return file


def _with_cases_of(suite: Suite, file: Path) -> Suite:
    taken = {case.id for case in suite.cases}
    cases = list(suite.cases)
    try:
        for item in read_jsonl(file, SuiteItem):
            if item.id in taken:
                raise SuiteInvalid(f"{file.name}: two cases have the id {item.id!r}.")
            taken.add(item.id)
            fields = {"input": item.input, "target": item.target, "group": item.group}
            cases.append(SuiteCase(id=item.id, **fields))
            if len(cases) > MAXIMUM_CASES:
                raise SuiteInvalid(f"{file.name}: has more than {MAXIMUM_CASES} cases.")
    except LineInvalid as error:
        raise SuiteInvalid(f"{error}.") from error
    return suite.model_copy(update={"cases": tuple(cases)})


def _describe(name: str, located: LocatedYaml, fault: ErrorDetails) -> str:
    path = tuple(each for each in fault["loc"] if _is_in(located, each))
    place = f"{name}:{located.line_of(path)}"
    return f"{place}: {_spell(path)}: {_explain(fault, path)}"


def _is_in(located: LocatedYaml, part: str | int) -> bool:
    """Pydantic's places name the members of unions too, which stand in no file."""
    return (
        isinstance(part, int)
        or any(part in path for path in located.lines)
        or (part in _ALL_FIELDS)
    )


def _spell(path: tuple[str | int, ...]) -> str:
    spelt = ""
    for part in path:
        spelt += f"[{part}]" if isinstance(part, int) else f"{'.' if spelt else ''}{part}"
    return spelt or "suite"


def _explain(fault: ErrorDetails, path: tuple[str | int, ...]) -> str:
    kind, found = fault["type"], fault.get("input")
    if kind == "extra_forbidden":
        known = _FIELDS_BESIDE.get(_owner_of(path[:-1]), ())
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
        return f"there is no such field; {hint}"
    if kind == "missing":
        return "is missing; add it."
    if kind == "string_type" and isinstance(found, bool | int | float):
        return "must be text; write it in quotes."
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:].rstrip(".") + "."


def _owner_of(path: tuple[str | int, ...]) -> str:
    words = [part for part in path if isinstance(part, str)]
    return words[-1] if words else ""


def _list_fields() -> Mapping[str, tuple[str, ...]]:
    owners: dict[str, type[SuitePart]] = {
        "": Suite,
        "cases": SuiteCase,
        "assertions": suite_model.Assertion,
        "similarity": suite_model.SimilarityAssertion,
        "refusals": suite_model.Refusals,
        "prices": suite_model.Prices,
        "thresholds": suite_model.Threshold,
    }
    return {owner: tuple(model.model_fields) for owner, model in owners.items()}


_FIELDS_BESIDE: Final[Mapping[str, tuple[str, ...]]] = _list_fields()
_ALL_FIELDS: Final[frozenset[Any]] = frozenset(
    name for names in _FIELDS_BESIDE.values() for name in names
)
