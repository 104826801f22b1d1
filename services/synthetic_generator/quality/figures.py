"""What is measured on items that were accepted: diversity, distance to examples, difficulty.

N items, V buckets of a vector.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from archon_contracts.events import PrivacyFigures, SyntheticQuality
from archon_contracts.rules.difficulty import score_difficulty
from services.synthetic_generator.domain import Candidate, Sample
from services.synthetic_generator.quality.diversity import distinct_n, similarity_limit
from services.synthetic_generator.quality.embedding import Embed, cosines, embed_by_signs

MEASURED: Final = 2_000
"""Items that the figures that compare all with all are measured on."""
COMPARED_BY_BLEU: Final = 60


def measure(
    accepted: Sequence[Candidate],
    examples: Sequence[Sample],
    diversity: float,
    *,
    embed: Embed = embed_by_signs,
    is_wrong: Callable[[Sequence[Sample]], Sequence[bool | None]] | None = None,
) -> SyntheticQuality | None:
    """The figures of items; None without any. `is_wrong`: what the deployed model gets wrong."""
    samples = [each.sample for each in accepted]
    if not samples:
        return None
    sampled = sample_evenly(samples, MEASURED)
    vectors_NV = embed([each.input for each in sampled])
    privacy = None
    if examples:
        known = sample_evenly(examples, MEASURED)
        privacy = measure_distances(vectors_NV, embed([each.input for each in known]))
    return SyntheticQuality(
        vendi=vendi_score(cosines(vectors_NV, vectors_NV)),
        measured=len(sampled),
        distinct_2=distinct_n([each.input for each in samples], 2),
        self_bleu=self_bleu([each.input for each in sampled]),
        similarity_limit=similarity_limit(diversity),
        difficulty=mean_difficulty(sampled, is_wrong(sampled) if is_wrong else None),
        privacy=privacy,
    )


def vendi_score(gram_NN: Any) -> float:
    """The effective number of distinct items: the exponential of the entropy of the eigenvalues of
    their similarities, divided by N. 1 if all are equal, N if none resembles another.

    Source: D. Friedman, A. B. Dieng, "The Vendi Score" (TMLR 2023), of order 1.
    """
    import numpy as np

    eigenvalues = np.linalg.eigvalsh(np.asarray(gram_NN, dtype=np.float64) / len(gram_NN))
    positive = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(positive * np.log(positive)).sum()))


def self_bleu(texts: Sequence[str]) -> float | None:
    """The mean BLEU-4 of a text with the others as references, 0..100; None with fewer than two.

    Source: Y. Zhu et al., "Texygen" (SIGIR 2018); sacreBLEU's sentence BLEU, on at most
    `COMPARED_BY_BLEU` texts.
    """
    if len(texts) < 2:
        return None
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(effective_order=True)
    compared = sample_evenly(texts, COMPARED_BY_BLEU)
    scores = [
        bleu.sentence_score(text, [*compared[:at], *compared[at + 1 :]]).score
        for at, text in enumerate(compared)
    ]
    return float(sum(scores) / len(scores))


def measure_distances(made_NV: Any, examples_MV: Any) -> PrivacyFigures:
    """Cosine distances of items to their nearest example."""
    import numpy as np

    distances = 1 - cosines(made_NV, examples_MV).max(axis=1)
    return PrivacyFigures(
        # A rounding error below 0 is none.
        nearest=max(0.0, float(distances.min())),
        median=max(0.0, float(np.median(distances))),
    )


def mean_difficulty(samples: Sequence[Sample], wrong: Sequence[bool | None] | None) -> float:
    """The mean of the curriculum's difficulty score."""
    seen = Counter(sample.target for sample in samples)
    answers = wrong if wrong is not None else [None] * len(samples)
    scores = [
        score_difficulty(s.input, occurrences=seen[s.target], was_answered_wrong=answer)
        for s, answer in zip(samples, answers, strict=True)
    ]
    return sum(scores) / len(scores)


def sample_evenly(values: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the values, the same ones each time, in their order."""
    if len(values) <= most:
        return list(values)
    chosen = sorted(random.Random(0).sample(range(len(values)), most))
    return [values[at] for at in chosen]
