"""Uploaded datasets: validated items as one content-addressed artifact under a permanent name."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Any, Final

import orjson
from pydantic import ValidationError

from archon_contracts.formats import CATALOGUE_FILE, ITEMS_FILE, TrainingItem, to_jsonl
from archon_contracts.rules.json_values import parse_json
from archon_contracts.rules.normal_text import is_blank
from archon_contracts.values import ArtifactRef
from services.gateway.domain import DatasetView, SuiteMisfit
from services.gateway.errors import Conflict, FieldError, Invalid
from services.gateway.http.body_gate import MAX_JSON_ELEMENTS, count_elements
from services.gateway.http.validation import MAX_ERRORS_REPORTED
from services.gateway.requests import CatalogueEntry
from services.gateway.store import GatewayStore
from shared.postgres.database import Tx

Item = dict[str, Any]
MAX_ITEMS: Final = 200_000


class Datasets:
    """Registers datasets under names. Takes `tx` and never commits."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store

    async def register(
        self,
        tx: Tx,
        tenant_id: str,
        *,
        name: str,
        purpose: str,
        items: int,
        artifact: ArtifactRef,
    ) -> DatasetView:
        """Name a dataset; the same name with the same content is the same dataset.

        Raises:
            Conflict: the name has other content, or another purpose.
        """
        await self._store.add_dataset(
            tx, tenant_id, name=name, purpose=purpose, items=items, artifact=artifact
        )
        # Read after the insert, which may have done nothing: of two uploads at once the
        # first one counts.
        found = (await self._store.datasets(tx, tenant_id, name=name))[0]
        if found.artifact.digest != artifact.digest:
            raise Conflict(f"dataset {name} exists with other content; choose another name")
        if found.purpose != purpose:
            raise Conflict(f"dataset {name} exists for {found.purpose}; choose another name")
        return found


def items_file(items: Sequence[Item]) -> dict[str, bytes]:
    """`items.jsonl`: one item a line; items without an id get their position.

    Suites are written as training items too: evaluations read the fields that they need.

    Raises:
        Invalid: an item lacks its input or target, two have one id, or a field is not valid.
    """
    if not items:
        raise Invalid([FieldError("items", "too_short", "send 1 item or more")])
    # No more are looked for than are reported: each costs time and memory.
    errors = list(islice(_problems(items), MAX_ERRORS_REPORTED))
    if errors:
        raise Invalid(errors)
    checked: list[TrainingItem] = []
    for index, item in enumerate(items):
        try:
            checked.append(TrainingItem.model_validate({"id": str(index), **item}))
        except ValidationError as error:
            errors += islice(_field_errors(index, error), MAX_ERRORS_REPORTED)
            if len(errors) >= MAX_ERRORS_REPORTED:
                break
    if errors:
        raise Invalid(errors[:MAX_ERRORS_REPORTED])
    return {ITEMS_FILE: to_jsonl(checked)}


def _field_errors(index: int, error: ValidationError) -> Iterable[FieldError]:
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(map(str, (f"items[{index}]", *fault["loc"])))
        yield FieldError(path, fault["type"], fault["msg"])


def _problems(items: Sequence[Item]) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        for name in ("input", "target"):
            if _is_missing(item.get(name)):
                yield FieldError(
                    f"items[{index}].{name}", "missing", f"an item needs a visible {name}"
                )
        identifier = item.get("id", str(index))
        if not isinstance(identifier, str) or not identifier:
            yield FieldError(f"items[{index}].id", "string_type", "an id is a text")
        elif identifier in seen:
            yield FieldError(f"items[{index}].id", "unique", "an id appears twice")
        else:
            seen.add(identifier)


def _is_missing(value: Any) -> bool:
    # What nobody sees would be an input of no words, or a target that cleaning takes away: the
    # item would stay, and neither be trained on nor scored.
    return is_blank(value) if isinstance(value, str) else value in (None, [], {})


def read_lines(body: bytes) -> list[Item]:
    """The objects of a body of JSON lines; blank lines are skipped.

    Raises:
        Invalid: a line is no JSON object, named by its number.
    """
    items: list[Item] = []
    errors: list[FieldError] = []
    # Read as it goes: a list of all lines could be many times the size of the body.
    for number, line in enumerate(io.BytesIO(body), start=1):
        if len(errors) >= MAX_ERRORS_REPORTED:
            break
        if not line.strip():
            continue
        if problem := _find_excess(len(items), line):
            raise Invalid([FieldError(f"line {number}", "too_long", problem)])
        try:
            item = parse_json(line)
        except ValueError as error:
            errors.append(FieldError(f"line {number}", "json_invalid", str(error)[:200]))
            continue
        if isinstance(item, dict):
            items.append(item)
        else:
            errors.append(FieldError(f"line {number}", "dict_type", "a line is one JSON object"))
    if errors:
        raise Invalid(errors)
    return items


def _find_excess(items: int, line: bytes) -> str | None:
    if items >= MAX_ITEMS:
        return f"a dataset has {MAX_ITEMS} items at most; split it"
    if count_elements(line) > MAX_JSON_ELEMENTS:
        return f"a line has {MAX_JSON_ELEMENTS} JSON elements at most"
    return None


def check_suite(content: bytes, answers: Collection[str]) -> list[SuiteMisfit]:
    """The items of a suite that ask for what the agent cannot answer, by what they ask for.

    They are accepted, as an agent may get their answers later; until then they are not scored.

    Raises:
        Invalid: a target is an answer but for case or separators, which no agent can be meant to
            separate, or none of the targets is an answer; items and answers are named.
    """
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for line in filter(None, content.splitlines()):
        item = orjson.loads(line)
        ids[item.get("target", "")].append(item.get("id", ""))
    unknown = {target: ids[target] for target in sorted(ids.keys() - set(answers))}
    spellings = {_spelling_key(answer): answer for answer in sorted(answers)}
    misspelt = (
        FieldError(
            "evaluation_dataset",
            "spelling",
            f"item {each!r} asks for {target!r}, the agent's answer is "
            f"{spellings[_spelling_key(target)]!r}; spell both alike",
        )
        for target, items in unknown.items()
        if _spelling_key(target) in spellings
        for each in items
    )
    if errors := list(islice(misspelt, MAX_ERRORS_REPORTED)):
        raise Invalid(errors)
    if len(unknown) == len(ids):
        wanted, given = (", ".join(map(repr, sorted(each)[:3])) for each in (ids, answers))
        message = f"no item asks for an answer of this agent: targets are {wanted}, answers {given}"
        raise Invalid([FieldError("evaluation_dataset", "targets", message)])
    ranked = sorted(unknown.items(), key=lambda found: (-len(found[1]), found[0]))
    return [
        SuiteMisfit(target=target, items=len(items), ids=items[:MAX_ERRORS_REPORTED])
        for target, items in ranked[:MAX_ERRORS_REPORTED]
    ]


def _spelling_key(name: str) -> str:
    """What two spellings of one name share."""
    return "".join(each for each in name.casefold() if each not in " _-\t\u00a0")


def catalogue_file(entries: Sequence[CatalogueEntry]) -> dict[str, bytes]:
    """`catalogue.json`: a selector's entries, in their order."""
    return {CATALOGUE_FILE: orjson.dumps([entry.model_dump() for entry in entries])}
