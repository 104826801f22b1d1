"""The loop: draw, disturb, judge, until there are enough or nothing new comes any more."""

from __future__ import annotations

import random
from collections.abc import Sequence

from services.synthetic_generator.domain import Candidate, Generated, Method, Refusal, Sample, Wish
from services.synthetic_generator.generators.adversarial import attacked
from services.synthetic_generator.generators.grammars import GRAMMARS
from services.synthetic_generator.generators.sample_generators import (
    ExampleOrigin,
    GrammarOrigin,
    Origin,
)
from services.synthetic_generator.quality.privacy import scrub
from services.synthetic_generator.quality.validation import Gate

EDGE_SHARE = 0.25
PATIENCE = 200
"""Candidates turned down in a row, per answer, after which no more are expected."""


def generate(wish: Wish, examples: Sequence[Sample]) -> Generated:
    """Items as wished for, as many as there can be. Equal arguments give equal items.

    Examples, where there are any, decide the answers; else the scenario's own grammar does.
    Answers take turns, so that each gets its share.
    """
    clean, scrubbed = _without_personal_data(examples)
    result = Generated(scrubbed=scrubbed)
    origin = _origin(wish, clean)
    if origin is None:
        result.refused[Refusal.NO_SOURCE] = wish.count
        return result
    gate = Gate(clean, origin.targets, diversity=wish.diversity, count=wish.count)
    failures = dict.fromkeys(origin.targets, 0)
    turn = 0
    while len(result.accepted) < wish.count and failures:
        target = list(failures)[turn % len(failures)]
        candidate = _candidate(wish, origin, target, random.Random(f"{wish.seed}/{turn}"))
        turn += 1
        refusal = gate.judge(candidate.sample)
        if refusal is None:
            result.accepted.append(candidate)
            failures[target] = 0
            continue
        result.refused[refusal] += 1
        failures[target] += 1
        if failures[target] >= PATIENCE:
            del failures[target]
    return result


def _origin(wish: Wish, examples: Sequence[Sample]) -> Origin | None:
    if examples:
        return ExampleOrigin(examples)
    grammar = GRAMMARS.get(wish.scenario_type)
    return GrammarOrigin(grammar) if grammar else None


def _candidate(wish: Wish, origin: Origin, target: str, rng: random.Random) -> Candidate:
    drawn = origin.draw(target, wish.difficulty, rng)
    if not wish.edge_cases or rng.random() >= EDGE_SHARE:
        return drawn
    others = [name for name in origin.targets if name != target]
    other = [origin.draw(rng.choice(others), "easy", rng).sample] if others else []
    return Candidate(attacked(drawn.sample, other, rng), Method.ADVERSARIAL)


def _without_personal_data(examples: Sequence[Sample]) -> tuple[list[Sample], dict[str, int]]:
    clean: list[Sample] = []
    found: dict[str, int] = {}
    for example in examples:
        text, target = scrub(example.input), scrub(example.target)
        clean.append(Sample(text.text, target.text))
        for kind, count in (text.found + target.found).items():
            found[kind] = found.get(kind, 0) + count
    return clean, dict(sorted(found.items()))
