"""Conditions on versions, as requests write them: `status=ready`, `accuracy>=0.8`, `seed=7`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import orjson
from pydantic import JsonValue

from services.gateway.errors import FieldError, Invalid
from services.gateway.http.numbers import read_number

STATUSES: Final = ("training", "ready", "deployed", "archived")
COLUMNS: Final = ("status", "digest", "parent_version", "job_id", "dataset_id")
MAX_CONDITIONS: Final = 20
_CONDITION: Final = re.compile(r"^(?P<name>[A-Za-z][\w./ -]{0,99}?)(?P<sign>>=|<=|=)(?P<text>.+)$")


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which versions are looked for; all of the conditions hold of each."""

    status: str | None = None
    digest: str | None = None
    parent_version: str | None = None
    job_id: UUID | None = None
    dataset_id: UUID | None = None
    facts: dict[str, JsonValue] = field(default_factory=dict)
    metrics: tuple[tuple[str, float, float], ...] = ()
    """Name, least and greatest value."""


def parse_conditions(conditions: Sequence[str]) -> ModelFilter:
    """The filter that the conditions state.

    `status`, `digest` (a prefix), `parent_version`, `job_id` and `dataset_id` are of the version;
    with `>=` and `<=` a name is a metric; any other name is a field of the registration's lineage,
    its value JSON or a text.

    Raises:
        Invalid: a condition cannot be read; it is named.
    """
    if len(conditions) > MAX_CONDITIONS:
        raise _invalid("too_many", f"{len(conditions)} conditions; {MAX_CONDITIONS} are allowed")
    columns: dict[str, str] = {}
    facts: dict[str, JsonValue] = {}
    metrics: list[tuple[str, float, float]] = []
    for condition in conditions:
        found = _CONDITION.match(condition)
        if found is None:
            raise _invalid("form", f"{condition[:100]!r} is not NAME=VALUE, NAME>=N or NAME<=N")
        name, sign, text = found["name"], found["sign"], found["text"]
        if sign != "=":
            bound = _number(condition, text)
            low, high = (bound, math.inf) if sign == ">=" else (-math.inf, bound)
            metrics.append((name, low, high))
        elif name in COLUMNS:
            columns[name] = text
        else:
            facts[name] = _json(text)
    _check_status(columns.get("status"))
    return ModelFilter(
        status=columns.get("status"),
        digest=columns.get("digest"),
        parent_version=columns.get("parent_version"),
        job_id=_uuid("job_id", columns.get("job_id")),
        dataset_id=_uuid("dataset_id", columns.get("dataset_id")),
        facts=facts,
        metrics=tuple(metrics),
    )


def _check_status(status: str | None) -> None:
    if status is not None and status not in STATUSES:
        raise _invalid("status", f"status is one of {', '.join(STATUSES)}, not {status[:40]!r}")


def _number(condition: str, text: str) -> float:
    number = read_number(text)
    if number is None or not math.isfinite(number):
        raise _invalid("number", f"{condition[:100]!r}: {text[:40]!r} is no number")
    return number


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value


def _uuid(name: str, text: str | None) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise _invalid("uuid", f"{name} {text[:40]!r} is no UUID") from None


def _invalid(rule: str, message: str) -> Invalid:
    return Invalid([FieldError("query.where", rule, message)])
