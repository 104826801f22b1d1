"""Near duplicates among 1,000,000 texts of about 20 words, a tenth of them planted.

Words are made up, with the frequencies of a language. A planted text is an earlier one with a word
or a few letters changed; those of a Jaccard index of 0.8 and more count for recall. Precision is of
the texts that were joined to an earlier one: a text stands right where its own grams and those of
one other text of its cluster reach 0.8. Wall time, with the making of the texts left out.
"""

import itertools
import random
import resource
import time
from collections import defaultdict
from collections.abc import Sequence

from services.data_prep.dedup.gram_sets import shingles
from services.data_prep.dedup.near_duplicates import cluster_near_duplicates
from tests.benchmarks.harness import Figure

TEXTS, PLANTED, EXACT_LIMIT = 1_000_000, 0.1, 20_000
TINY = {"TEXTS": 1_000, "EXACT_LIMIT": 0}
THRESHOLD, VOCABULARY, CHECKED = 0.8, 20_000, 2_000


def run() -> list[Figure]:
    """Seconds, memory, recall and precision."""
    texts, sources = _make_texts(random.Random(0))
    began = time.monotonic()
    roots = cluster_near_duplicates(texts, THRESHOLD, EXACT_LIMIT)
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = [
        roots[at] == roots[source]
        for at, source in sources.items()
        if _similarity(texts[at], texts[source]) >= THRESHOLD
    ]
    return [
        Figure(name=f"{TEXTS} texts", figure=seconds, unit="s", reach=90.0, higher_is_better=False),
        Figure(name="peak memory", figure=peak, unit="GB", reach=2.5, higher_is_better=False),
        Figure(name="recall", figure=sum(found) / len(found), unit="proportion", reach=0.95),
        Figure(name="precision", figure=_precision(texts, roots), unit="proportion", reach=0.98),
    ]


def _make_texts(rng: random.Random) -> tuple[list[str], dict[int, int]]:
    """The texts, and of each planted one which it was made of."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(VOCABULARY)]
    frequencies = list(itertools.accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
    planted = round(TEXTS * PLANTED)
    texts = [
        " ".join(rng.choices(words, cum_weights=frequencies, k=rng.randint(15, 25)))
        for _ in range(TEXTS - planted)
    ]
    sources = {len(texts) + n: rng.randrange(len(texts)) for n in range(planted)}
    texts += [_change(texts[source], words, rng) for source in sources.values()]
    return texts, sources


def _change(text: str, words: Sequence[str], rng: random.Random) -> str:
    changed = text.split()
    at = rng.randrange(len(changed))
    if rng.random() < 0.5:
        changed[at] = rng.choice(words)
    else:
        changed[at] = changed[at][::-1]
    return " ".join(changed)


def _similarity(one: str, other: str) -> float:
    first, second = shingles(one), shingles(other)
    return len(first & second) / len(first | second)


def _precision(texts: Sequence[str], roots: Sequence[int]) -> float:
    clusters: defaultdict[int, list[int]] = defaultdict(list)
    for at, root in enumerate(roots):
        clusters[root].append(at)
    joined = [members for members in clusters.values() if len(members) > 1]
    checked = random.Random(1).sample(joined, k=min(CHECKED, len(joined)))
    right = [
        any(_similarity(texts[at], texts[other]) >= THRESHOLD for other in members if other != at)
        for members in checked
        for at in members[1:]
    ]
    return sum(right) / len(right)
