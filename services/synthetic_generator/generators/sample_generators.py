"""Where raw samples come from: a domain's grammar, or the examples that were given."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from services.synthetic_generator.domain import Candidate, Draw, Method, RejectionReason, Sample
from services.synthetic_generator.generators.answer_names import build_name_sentence, find_name
from services.synthetic_generator.generators.grammar import (
    EVERY_ALTERNATIVE,
    Grammar,
    build_sentence,
)
from services.synthetic_generator.generators.mutation import mutate
from services.synthetic_generator.generators.ports import SampleGenerator
from services.synthetic_generator.generators.recombination import (
    Details,
    recombine,
    select_class_samples,
)
from services.synthetic_generator.quality.diversity import WordPairNovelty
from services.synthetic_generator.quality.language import is_english

MUTATION_PROPORTION = 0.5
NAME_PROPORTION = 0.3


class GrammarGenerator:
    """Sentences of a domain; the harder ones with typos."""

    def __init__(self, grammar: Grammar, diversity: float = EVERY_ALTERNATIVE) -> None:
        self._grammar = grammar
        self._diversity = diversity
        self.is_english = grammar.is_english
        self.targets: Sequence[str] = grammar.targets

    def generate(self, target: str, difficulty: str, rng: random.Random) -> Candidate | None:
        """A sentence for this answer; None: the domain's constraints left none."""
        text = build_sentence(self._grammar, target, difficulty, rng, self._diversity)
        if text is None:
            return None
        if difficulty == "hard":
            text = mutate(text, "medium", rng, english=self.is_english)
        return Candidate(Sample(text, target), Method.TEMPLATE)


class ExampleGenerator:
    """Variations of real examples."""

    def __init__(self, examples: Sequence[Sample]) -> None:
        self.is_english = is_english(example.input for example in examples)
        self._by_target: defaultdict[str, list[Sample]] = defaultdict(list)
        for example in examples:
            self._by_target[example.target].append(example)
        self._classes = frozenset(sample.target for sample in select_class_samples(examples))
        self.targets: Sequence[str] = sorted(self._by_target)
        self._details = {
            target: Details.of(samples, english=self.is_english)
            for target, samples in self._by_target.items()
        }

    def generate(self, target: str, difficulty: str, rng: random.Random) -> Candidate:
        """An example of this answer with other details or another surface, or the answer's name."""
        sample = rng.choice(self._by_target[target])
        name = find_name(target) if self.is_english and target in self._classes else None
        if name and rng.random() < NAME_PROPORTION:
            text = build_name_sentence(name, rng)
            return Candidate(Sample(text, target), Method.ANSWER_NAME)
        if target in self._classes and rng.random() >= MUTATION_PROPORTION:
            other = recombine(sample, self._details[target], rng)
            if other != sample:
                return Candidate(other, Method.RECOMBINATION)
        text = mutate(sample.input, difficulty, rng, english=self.is_english)
        changed = Sample(text, target)
        return Candidate(changed, Method.MUTATION)


class EachDraw:
    """The strategy that asks a `SampleGenerator` for each draw, and takes the most novel sample.

    Novel beside the accepted items and those chosen before in the same round, so that what is made
    of a draw depends on nothing else.
    """

    def __init__(
        self,
        generator: SampleGenerator,
        difficulty: str,
        novelty: WordPairNovelty,
        alternatives: int = 1,
    ) -> None:
        self._generator = generator
        self._novelty = novelty
        self._alternatives = alternatives
        self._known = frozenset(generator.targets)
        self._difficulty = difficulty

    def make(self, draws: Sequence[Draw]) -> list[Candidate | RejectionReason]:
        """A sample for each draw; refused where there is no sentence of the answer, or the
        domain's constraints leave none."""
        taken: set[tuple[str, ...]] = set()
        return [
            self._make(draw, taken) if draw.target in self._known else RejectionReason.NO_SOURCE
            for draw in draws
        ]

    def _make(self, draw: Draw, taken: set[tuple[str, ...]]) -> Candidate | RejectionReason:
        rng = draw.rng()
        made = (
            self._generator.generate(draw.target, self._difficulty, rng)
            for _ in range(self._alternatives)
        )
        found = [each for each in made if each is not None]
        if len(found) > 1:
            return found[self._novelty.choose([each.sample.input for each in found], taken)]
        return found[0] if found else RejectionReason.CONSTRAINTS
