"""The agent's own cleaning steps, on records before they become items."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from archon_contracts.formats import TrainingItem
from archon_contracts.values import AgentKind, DataPolicy
from services.data_prep.cleaning.personal_data import redact_record
from services.data_prep.domain import PreparationCounters

TOO_SHORT: Final = "input shorter than data.minimum_characters"
TOO_LONG: Final = "input longer than data.maximum_characters"
OTHER_SCRIPT: Final = "input in a script that is not in data.scripts"
EXAMINED_CHARACTERS: Final = 1000
"""What the script is found from: naming each character of a long input would take a while."""


def clean_records(
    records: Iterable[TrainingItem],
    policy: DataPolicy,
    kind: AgentKind,
    counters: PreparationCounters,
) -> Iterator[TrainingItem]:
    """The records that pass the filters, repaired and redacted; the others are counted."""
    for record in records:
        if (reason := find_objection(record.input, policy)) is not None:
            counters.unusable[reason] += 1
            continue
        if policy.redact_personal_data:
            record = redact_record(record, free_answers=kind is AgentKind.GENERATOR)
        yield record


def find_objection(text: str, policy: DataPolicy) -> str | None:
    """Why an input is left out; None where it stays."""
    length = len(text)
    if length < policy.minimum_characters:
        return TOO_SHORT
    if policy.maximum_characters is not None and length > policy.maximum_characters:
        return TOO_LONG
    if policy.scripts and (script := find_script(text)) and script not in policy.scripts:
        return OTHER_SCRIPT
    return None


def find_script(text: str) -> str:
    """The script of most letters, as Unicode names it (LATIN, CYRILLIC, CJK ...); "" without any.

    A text of digits and signs alone has none, and belongs to every language.
    """
    letters = (sign for sign in text[:EXAMINED_CHARACTERS] if sign.isalpha())
    names = Counter(unicodedata.name(sign, "").partition(" ")[0] for sign in letters)
    ranked = sorted(names.items(), key=lambda entry: (-entry[1], entry[0]))
    return ranked[0][0] if ranked else ""
