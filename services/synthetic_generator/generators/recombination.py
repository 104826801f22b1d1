"""Real sentences with the details of other real sentences: numbers, dates, names, quotations.

Details come from examples of the same answer: a product, an amount or a place may decide the
answer, and the examples of two answers do not say whether it does.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.synthetic_generator.domain import Sample

_WEEKDAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_MONTHS = "January|February|March|April|June|July|August|September|October|November|December"
_DETAIL = re.compile(
    r"(?P<quotation>\"[^\"]{1,60}\")"
    rf"|(?P<weekday>\b(?:{_WEEKDAYS})\b)"
    rf"|(?P<month>\b(?:{_MONTHS})\b)"
    # At most nine groups of digits: without a bound "1,1,1,...,1a" takes quadratic time.
    r"|(?P<number>(?<![\w.])[0-9]+(?:[.,][0-9]+){0,8}(?![\w]))"
    r"|(?P<name>(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*)"
)


NEUTRAL_KINDS: Final = ("quotation", "number")
"""Details that are found by the same signs in every language."""


@dataclass(frozen=True, slots=True)
class Details:
    """Kinds of details and the values that the examples have of each, sorted."""

    values: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, samples: Sequence[Sample], *, english: bool = True) -> Details:
        """All details of the samples' inputs.

        Weekdays, months and names are found by English rules: elsewhere a capital letter may
        begin any noun.
        """
        found: defaultdict[str, set[str]] = defaultdict(set)
        for sample in samples:
            for match in _DETAIL.finditer(sample.input):
                if english or _kind(match) in NEUTRAL_KINDS:
                    found[_kind(match)].add(match.group())
        return cls({kind: sorted(values) for kind, values in found.items()})


def select_class_samples(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose answer is a class: several different inputs share it.

    Where every input has an answer of its own, the answer hangs on the details (2 + 3 is 5), and
    exchanging them would make it wrong.
    """
    inputs: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        inputs[sample.target].add(sample.key)
    return [sample for sample in samples if len(inputs[sample.target]) > 1]


def recombine(sample: Sample, details: Details, rng: random.Random) -> Sample:
    """The sample with other details of the same kinds; those that the answer names stay."""

    def other(match: re.Match[str]) -> str:
        values = details.values.get(_kind(match))
        if match.group() in sample.target or not values:
            return match.group()
        return rng.choice(values)

    return Sample(_DETAIL.sub(other, sample.input), sample.target)


def _kind(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind is None:
        raise ValueError("a detail matched no kind")
    return kind
