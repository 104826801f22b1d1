"""Personal data out of records, before anything of them is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from archon_contracts.formats import Annotation, TrainingItem
from shared.personal_data import detect_personal_data


class Placeholders:
    """The placeholders of one record: an equal value has the same one wherever it stands.

    They are numbered within the record, and not over the dataset: two records of one person then
    have nothing in common, and a model does not learn thousands of words that occur once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}

    def redact(self, text: str) -> str:
        """The text with `<EMAIL_1>` and the like in place of personal data."""
        parts: list[str] = []
        last = 0
        for found in detect_personal_data(text):
            value = _to_value(text[found.start : found.end])
            parts += [text[last : found.start], self._name(found.kind, value)]
            last = found.end
        return "".join([*parts, text[last:]])

    def _name(self, kind: str, value: str) -> str:
        known = self._known.get((kind, value))
        if known is None:
            number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
            known = self._known[kind, value] = f"<{kind}_{number}>"
        return known


def _to_value(text: str) -> str:
    """What two spellings of one value share: neither case nor grouping of digits counts."""
    plain = text.casefold().rstrip(".,;")
    return plain if "@" in plain or "/" in plain else "".join(c for c in plain if c.isalnum())


def redact_record(record: TrainingItem, *, free_answers: bool) -> TrainingItem:
    """The record without personal data in its input and, of a generator, in its answers.

    Labels and entries of a catalogue (`free_answers` false) stay as they are: two labels that look
    like mailboxes would become one.
    """
    names = Placeholders()
    changed: dict[str, object] = {"input": names.redact(record.input)}
    if free_answers:
        changed |= {
            "target": names.redact(record.target),
            "actual": names.redact(record.actual),
            "rejected": _redact_all(names, record.rejected),
            "shown": _redact_all(names, record.shown),
            "annotations": tuple(_redact_label(names, each) for each in record.annotations),
        }
    return record.model_copy(update=changed)


def _redact_all(names: Placeholders, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(names.redact(text) for text in texts)


def _redact_label(names: Placeholders, annotation: Annotation) -> Annotation:
    return annotation.model_copy(update={"label": names.redact(annotation.label)})


def count_personal_data(texts: Iterable[str]) -> tuple[int, dict[str, int]]:
    """How many texts hold personal data, and how often each kind stands in them."""
    by_kind: Counter[str] = Counter()
    affected = 0
    for text in texts:
        found = detect_personal_data(text)
        affected += bool(found)
        by_kind.update(each.kind for each in found)
    return affected, dict(sorted(by_kind.items()))
