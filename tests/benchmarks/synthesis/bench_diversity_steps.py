"""Whether more diversity asked for is more diversity made: Vendi score and distinct-2 by step.

So many items of each built-in domain at five diversities; the figures are the least rise of a step,
of the medians over the seeds.
"""

import statistics
from itertools import pairwise

from services.synthetic_generator.domain import GenerationRequest
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.grammars import GRAMMARS
from services.synthetic_generator.quality.diversity import distinct_n
from services.synthetic_generator.quality.embedding import cosines, embed_by_signs
from services.synthetic_generator.quality.figures import vendi_score
from tests.benchmarks.harness import Figure

SEEDS = (0, 1, 2, 3, 4)
ITEMS, DIVERSITIES = 400, (0.0, 0.25, 0.5, 0.75, 1.0)
TINY = {"SEEDS": (0,), "ITEMS": 40, "DIVERSITIES": (0.0, 1.0)}


def run() -> list[Figure]:
    """All diversities of both domains."""
    return [figure for domain in GRAMMARS for figure in _measure(domain)]


def _measure(domain: str) -> list[Figure]:
    vendi, distinct, delivered = [], [], []
    for diversity in DIVERSITIES:
        made = [_texts(domain, diversity, seed) for seed in SEEDS]
        vectors = [embed_by_signs(texts) for texts in made]
        vendi.append(statistics.median(vendi_score(cosines(each, each)) for each in vectors))
        distinct.append(statistics.median(distinct_n(texts, 2) or 0.0 for texts in made))
        delivered.append(min(map(len, made)))
    print(f"{domain}: Vendi {[round(v, 1) for v in vendi]}, delivered {delivered}")
    print(f"{domain}: distinct-2 {[round(d, 4) for d in distinct]}")
    return [
        _least_rise(f"{domain}: Vendi score, least rise of a step", vendi),
        _least_rise(f"{domain}: distinct-2, least rise of a step", distinct),
        Figure(name=f"{domain}: least items delivered", figure=min(delivered), unit="items"),
    ]


def _least_rise(name: str, values: list[float]) -> Figure:
    rise = min(after - before for before, after in pairwise(values))
    # Above 0, and not at it: a step that changes nothing is none.
    return Figure(name=name, figure=rise, unit="", reach=1e-9)


def _texts(domain: str, diversity: float, seed: int) -> list[str]:
    request = GenerationRequest(
        scenario_type=domain,
        count=ITEMS,
        difficulty="medium",
        edge_cases=False,
        diversity=diversity,
        seed=seed,
    )
    return [each.sample.input for each in generate(request, ()).accepted]
