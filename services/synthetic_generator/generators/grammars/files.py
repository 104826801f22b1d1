"""Domain files: YAML that an expert of the domain edits, checked when it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.synthetic_generator.errors import DomainInvalid
from services.synthetic_generator.generators.grammar import Grammar, OutOfScope, slot_names


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WeightedText(_Strict):
    """A sentence or value, and how often it is taken beside the others of its list."""

    text: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class OutOfScopeText(_Strict):
    """What the domain is not for, and the answer to it."""

    target: str = Field(min_length=1)
    sentences: list[str] = Field(min_length=1)


Line = str | WeightedText


class DomainFile(_Strict):
    """A domain file's content."""

    name: str = Field(min_length=1)
    about: str = ""
    language: str = "en"
    listed_by_frequency: bool = Field(
        default=False, description="Lists begin with what is most frequent: the i-th weighs 1/i."
    )
    requests: dict[str, list[Line]] = Field(min_length=1)
    slots: dict[str, list[Line]] = {}
    openings: list[Line] = []
    contexts: list[Line] = []
    closings: list[Line] = []
    forbid: list[dict[str, list[str]]] = []
    out_of_scope: OutOfScopeText | None = None


def read_domain(path: Path) -> Grammar:
    """The domain of a file.

    Raises:
        DomainInvalid: with the file, the field and what to do.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = DomainFile.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DomainInvalid(f"{path.name} cannot be read: {error}") from error
    except ValidationError as error:
        # The deepest: of a line that is neither form, what is wrong in its fields.
        first = max(error.errors(), key=lambda each: len(each["loc"]))
        field = ".".join(map(str, first["loc"])) or "the file"
        raise DomainInvalid(f"{path.name}: {field}: {first['msg']}") from error
    _check(path.name, file)
    weights: dict[str, float] = {}
    parts: dict[str, Any] = {
        "requests": {key: _texts(lines, file, weights) for key, lines in file.requests.items()},
        "slots": {key: _texts(lines, file, weights) for key, lines in file.slots.items()},
        "openings": _texts(file.openings, file, weights),
        "contexts": _texts(file.contexts, file, weights),
        "closings": _texts(file.closings, file, weights),
    }
    return Grammar(
        **parts,
        weights=weights,
        forbidden=tuple(
            {slot: frozenset(values) for slot, values in rule.items()} for rule in file.forbid
        ),
        out_of_scope=_out_of_scope(file),
        is_english=file.language.startswith("en"),
    )


def _out_of_scope(file: DomainFile) -> OutOfScope | None:
    found = file.out_of_scope
    return OutOfScope(found.target, tuple(found.sentences)) if found else None


def _texts(lines: list[Line], file: DomainFile, weights: dict[str, float]) -> tuple[str, ...]:
    for place, line in enumerate(lines, start=1):
        if isinstance(line, WeightedText):
            weights[line.text] = line.weight
        elif file.listed_by_frequency:
            weights[line] = 1 / place
    return tuple(_text(line) for line in lines)


def _text(line: Line) -> str:
    return line if isinstance(line, str) else line.text


def _check(name: str, file: DomainFile) -> None:
    """Refuse what cannot be filled in: unknown slots, empty lists, slots that hold themselves."""
    lists: dict[str, list[Line]] = {
        **{f"requests.{key}": lines for key, lines in file.requests.items()},
        **{f"slots.{key}": lines for key, lines in file.slots.items()},
        **{each: getattr(file, each) for each in ("openings", "contexts", "closings")},
    }
    for field, lines in lists.items():
        if not lines and "." in field:
            raise DomainInvalid(f"{name}: {field} is empty; give it a line, or remove it")
        if unknown := _slots_of(lines) - file.slots.keys():
            raise DomainInvalid(
                f"{name}: {field} uses the slot {min(unknown)!r}, which slots does not have; add "
                "it there, or correct its name"
            )
    uses = {slot: _slots_of(lines) for slot, lines in file.slots.items()}
    if circle := _find_circle(uses):
        raise DomainInvalid(f"{name}: slots.{circle} holds itself; remove it from its own values")
    for place, rule in enumerate(file.forbid):
        for slot, values in rule.items():
            known = {_text(line) for line in file.slots.get(slot, [])}
            if missing := set(values) - known:
                raise DomainInvalid(
                    f"{name}: forbid.{place}.{slot} names {min(missing)!r}, which is no value of "
                    "that slot; correct it"
                )


def _slots_of(lines: Iterable[Line]) -> set[str]:
    return set().union(*(slot_names(_text(line)) for line in lines))


def _find_circle(uses: Mapping[str, set[str]]) -> str | None:
    """A slot whose values come to hold it; None: there is none."""
    for start in uses:
        reached, open_slots = set[str](), list(uses[start])
        while open_slots:
            slot = open_slots.pop()
            if slot not in reached:
                reached.add(slot)
                open_slots += uses[slot]
        if start in reached:
            return start
    return None
