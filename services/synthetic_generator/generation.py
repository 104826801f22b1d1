"""The loop: draw, disturb, validate, until there are enough or nothing new comes any more."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from services.synthetic_generator.domain import (
    Candidate,
    GenerationRequest,
    GenerationResult,
    Method,
    RejectionReason,
    Sample,
)
from services.synthetic_generator.errors import TextTooSlow
from services.synthetic_generator.generators.adversarial import make_adversarial
from services.synthetic_generator.generators.grammars import GRAMMARS
from services.synthetic_generator.generators.ports import SampleGenerator
from services.synthetic_generator.generators.sample_generators import (
    ExampleGenerator,
    GrammarGenerator,
)
from services.synthetic_generator.quality.privacy import redact
from services.synthetic_generator.quality.time_limit import limit_seconds
from services.synthetic_generator.quality.validation import (
    MAXIMUM_INPUT_CHARACTERS,
    CandidateValidator,
)

ADVERSARIAL_PROPORTION = 0.25
TEXT_SECONDS = 1.0
"""For the patterns on one example: a thousand times what the longest one takes."""
MAXIMUM_CONSECUTIVE_REJECTIONS = 200
"""Candidates turned down in a row, per answer, after which no more are expected."""


def generate(request: GenerationRequest, examples: Sequence[Sample]) -> GenerationResult:
    """Items as requested, as many as there can be. Equal arguments give equal items.

    Examples, where there are any, decide the answers; else the scenario's own grammar does.
    Answers alternate, so that each gets its part. Examples that are too long, or take
    too long, are left out and counted.
    """
    # Before any pattern sees them: one item of a megabyte would hold the process for minutes.
    short = [each for each in examples if len(each.input) <= MAXIMUM_INPUT_CHARACTERS]
    result = GenerationResult()
    if len(short) < len(examples):
        result.rejections[RejectionReason.TOO_LONG] = len(examples) - len(short)
    clean = _redact_examples(short, result)
    generator = _select_generator(request, clean)
    if generator is None:
        result.rejections[RejectionReason.NO_SOURCE] = request.count
        return result
    validator = CandidateValidator(
        clean, generator.targets, diversity=request.diversity, count=request.count
    )
    failures = dict.fromkeys(generator.targets, 0)
    attempt = 0
    while len(result.accepted) < request.count and failures:
        target = list(failures)[attempt % len(failures)]
        candidate = _generate_candidate(
            request, generator, target, random.Random(f"{request.seed}/{attempt}")
        )
        attempt += 1
        misleading = candidate.method is Method.ADVERSARIAL
        rejection = validator.validate(candidate.sample, misleading=misleading)
        if rejection is None:
            result.accepted.append(candidate)
            failures[target] = 0
            continue
        result.rejections[rejection] += 1
        failures[target] += 1
        if failures[target] >= MAXIMUM_CONSECUTIVE_REJECTIONS:
            del failures[target]
    missing = request.count - len(result.accepted)
    if missing and not generator.is_english:
        # Said beside the reasons of the candidates: more examples help, another try does not.
        result.rejections[RejectionReason.LANGUAGE] = missing
    return result


def _select_generator(
    request: GenerationRequest, examples: Sequence[Sample]
) -> SampleGenerator | None:
    if examples:
        return ExampleGenerator(examples)
    grammar = GRAMMARS.get(request.scenario_type)
    return GrammarGenerator(grammar) if grammar else None


def _generate_candidate(
    request: GenerationRequest, generator: SampleGenerator, target: str, rng: random.Random
) -> Candidate:
    sampled = generator.generate(target, request.difficulty, rng)
    if not request.edge_cases or rng.random() >= ADVERSARIAL_PROPORTION:
        return sampled
    others = [name for name in generator.targets if name != target]
    other = [generator.generate(rng.choice(others), "easy", rng).sample] if others else []
    disturbed = make_adversarial(sampled.sample, other, rng, english=generator.is_english)
    return Candidate(disturbed, Method.ADVERSARIAL)


def _redact_examples(examples: Sequence[Sample], result: GenerationResult) -> list[Sample]:
    """Examples without personal data; one that takes too long is set aside and counted."""
    clean: list[Sample] = []
    found: Counter[str] = Counter()
    for example in examples:
        try:
            with limit_seconds(TEXT_SECONDS):
                text = redact(example.input)
        except TextTooSlow:
            result.rejections[RejectionReason.TOO_SLOW] += 1
            continue
        # The answer stays as it is: replaced by its kind, two answers would become one.
        clean.append(Sample(text.text, example.target))
        found += text.found
    result.redacted = dict(sorted(found.items()))
    return clean
