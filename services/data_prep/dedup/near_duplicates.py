"""Inputs that differ by a typo or a word ending, found by the n-grams that they share.

Pairs that may be alike are found by the rarest grams of each text, or by MinHash where there are
too many texts; each is compared as a whole before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from services.data_prep.dedup.gram_sets import GramSets, hash_grams, make_gram_sets
from shared.similarity import TOLERANCE

if TYPE_CHECKING:
    from numpy import float64, int64, uint8
    from numpy.typing import NDArray

    Pairs = tuple[NDArray[int64], NDArray[int64]]

MAXIMUM_CANDIDATES: Final = 1024
MAXIMUM_FAILED_COMPARISONS: Final = 64
"""Of one text: candidates that are looked at, and comparisons of it. No more, or inputs made to be
nearly alike would cost time that grows with the square of their number."""
ROUNDS: Final = (1, 7)
"""So many candidates of a text are compared first: most texts of a cluster are joined by them, and
what is joined is not compared again."""
BLOCK: Final = 2_000_000
"""Candidates at a time, and grams of pairs that are compared."""

BAND_SIZE, BANDS = 6, 21
"""Of MinHash: two texts of similarity s are candidates with a probability of 1 - (1 - s^6)^21,
0.998 at 0.8 (J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive Datasets", section 3.4)."""
HASHED_TEXTS: Final = 20_000
NEIGHBOURS_IN_BAND: Final = 8
"""With so many before it a text of a band is compared: those of a large band are mostly alike."""
ESTIMATE_MARGIN: Final = 0.18
"""Candidates whose signatures agree less than the threshold by so much are not compared: four
standard errors of the estimate."""


class CandidateBlock(NamedTuple):
    """Pairs of texts by their positions, and how many texts were looked up for them."""

    later: NDArray[int64]
    earlier: NDArray[int64]
    texts: int


def cluster_near_duplicates(
    texts: Sequence[str],
    threshold: float,
    exact_limit: int,
    *,
    most_compared: int = MAXIMUM_FAILED_COMPARISONS,
) -> list[int]:
    """For every text the position of the first text of its cluster.

    Equal texts are in one cluster, however long they are. Two others are near duplicates when the
    Jaccard index of their character 4-grams reaches the threshold; a cluster is everything joined
    by such pairs. Up to `exact_limit` texts every pair is found, unless one is like very many;
    beyond, MinHash finds most of them.
    """
    first: dict[str, int] = {}
    for position, text in enumerate(texts):
        first.setdefault(text, position)
    distinct, places = list(first), list(first.values())
    if len(distinct) < 2:
        return [first[text] for text in texts]
    if len(distinct) <= exact_limit:
        roots = _join_every_pair(distinct, threshold, most_compared)
    else:
        roots = _join_most_pairs(distinct, threshold)
    root_of = {text: places[root] for text, root in zip(distinct, roots, strict=True)}
    return [root_of[text] for text in texts]


def measure_similarity(sets: GramSets, pairs: Pairs) -> NDArray[float64]:
    """The Jaccard index of the sets of each pair."""
    import numpy

    first, second = pairs
    sizes = sets.sizes[first] + sets.sizes[second]
    found = numpy.zeros(len(first))
    step = max(1, BLOCK // max(1, int(sizes.mean()) if len(sizes) else 1))
    for start in range(0, len(first), step):
        part = slice(start, start + step)
        shared = sets.count_shared(first[part], second[part])
        found[part] = shared / (sizes[part] - shared)
    return found


def find_candidates(
    sets: GramSets, threshold: float, most: int, *, queries_from: int = 0
) -> Iterator[CandidateBlock]:
    """Pairs that may be similar, in blocks; those of one text stand together, the likeliest first.

    Two sets whose Jaccard index reaches t share one of the first |s| - ceil(t |s|) + 1 members in
    any fixed order (R. J. Bayardo, Y. Ma, R. Srikant, "Scaling up all pairs similarity search",
    2007); the rarest first keeps the lists short. Of a text, the lists of its rarest grams are
    looked at that have `most` texts together, or one list. From text `queries_from` on.
    """
    import numpy

    postings, work = _make_prefixes(sets, threshold, most)
    lists = postings.indexed.T.tocsr()
    ends = numpy.cumsum(work)
    start = queries_from
    while start < len(work):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(numpy.searchsorted(ends, before + BLOCK, side="right")))
        found = (postings.asked[start:end] @ lists).tocoo()
        later, earlier = found.row.astype(numpy.int64) + start, found.col.astype(numpy.int64)
        small, large = sets.sizes[later], sets.sizes[earlier]
        small, large = numpy.minimum(small, large), numpy.maximum(small, large)
        # The Jaccard index is small / large at most.
        kept = (earlier < later) & (small >= threshold * large - TOLERANCE)
        later, earlier, shared = later[kept], earlier[kept], found.data[kept].astype(numpy.int64)
        order = numpy.lexsort((earlier, -shared, later))
        yield CandidateBlock(later[order], earlier[order], end - start)
        start = end


class _Postings:
    """Texts by their rarest grams: those that are looked for, and those that are found by."""

    def __init__(self, indexed: Any, asked: Any) -> None:
        self.indexed = indexed
        self.asked = asked


def _make_prefixes(sets: GramSets, threshold: float, most: int) -> tuple[_Postings, NDArray[int64]]:
    """The prefixes of all sets, and how many texts are looked at for each."""
    import numpy
    from scipy.sparse import csr_matrix

    distinct, member = numpy.unique(sets.members, return_inverse=True)
    frequency = numpy.bincount(member, minlength=len(distinct))
    # Stable: grams of one frequency stand in the order of their numbers.
    rank = numpy.empty(len(distinct), dtype=numpy.int64)
    rank[numpy.argsort(frequency, kind="stable")] = numpy.arange(len(distinct))
    keys = sets.owners * len(distinct) + rank[member]
    keys.sort()
    ranks = keys - sets.owners * len(distinct)
    place = numpy.arange(len(ranks)) - sets.offsets[sets.owners]
    needed = numpy.ceil(threshold * sets.sizes - TOLERANCE).astype(numpy.int64)
    in_prefix = place < (sets.sizes - needed + 1)[sets.owners]
    owners, ranks, place = sets.owners[in_prefix], ranks[in_prefix], place[in_prefix]
    shape = (len(sets.sizes), len(distinct))
    length = numpy.bincount(ranks, minlength=len(distinct))[ranks]
    ends = numpy.cumsum(length)
    before = numpy.concatenate(([0], ends))[numpy.searchsorted(owners, owners)]
    asked = (ends - before <= most) | (place == 0)

    def build(which: Any) -> Any:
        ones = numpy.ones(int(which.sum()), dtype=numpy.int32)
        return csr_matrix((ones, (owners[which], ranks[which])), shape=shape)

    work = numpy.bincount(owners[asked], weights=length[asked], minlength=shape[0])
    everything = numpy.ones(len(owners), dtype=bool)
    return _Postings(build(everything), build(asked)), work.astype(numpy.int64)


def _join_every_pair(texts: Sequence[str], threshold: float, most_compared: int) -> list[int]:
    """Join similar pairs, found among those that share one of their rarest n-grams."""
    import numpy

    sets = make_gram_sets(texts)
    clusters = _Clusters(len(texts))
    most = MAXIMUM_CANDIDATES * most_compared // MAXIMUM_FAILED_COMPARISONS
    for later, earlier, _ in find_candidates(sets, threshold, most):
        for count in (*ROUNDS, most_compared - sum(ROUNDS)):
            apart = clusters.roots[later] != clusters.roots[earlier]
            later, earlier = later[apart], earlier[apart]
            place = numpy.arange(len(later)) - numpy.searchsorted(later, later)
            now = place < count
            pairs = later[now], earlier[now]
            similar = measure_similarity(sets, pairs) >= threshold - TOLERANCE
            clusters.join(pairs[0][similar], pairs[1][similar])
            later, earlier = later[~now], earlier[~now]
    found: list[int] = clusters.roots.tolist()
    return found


class _Clusters:
    """What is joined so far: of each text the first text of its cluster."""

    def __init__(self, count: int) -> None:
        import numpy

        self.roots = numpy.arange(count)

    def join(self, first: NDArray[int64], second: NDArray[int64]) -> None:
        """Make one cluster of those of each pair."""
        import numpy
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        if not len(first):
            return
        named, place = numpy.unique((self.roots[first], self.roots[second]), return_inverse=True)
        one, other = place.reshape(2, -1)
        links = (numpy.ones(len(one), dtype=numpy.int8), (one, other))
        graph = coo_matrix(links, shape=(len(named), len(named)))
        count, label = connected_components(graph, directed=False)
        least = numpy.full(count, len(self.roots))
        numpy.minimum.at(least, label, named)
        renamed = numpy.arange(len(self.roots))
        renamed[named] = least[label]
        self.roots = renamed[self.roots]


def _join_most_pairs(texts: Sequence[str], threshold: float) -> list[int]:
    """Join similar pairs, found among those whose MinHash signatures agree in a band."""
    import numpy

    bands, signatures = _sign(texts)
    clusters = _Clusters(len(texts))
    unlike = numpy.empty(0, dtype=numpy.int64)
    for hashes in bands.T:
        later, earlier = _pair_in_band(hashes)
        apart = clusters.roots[later] != clusters.roots[earlier]
        later, earlier = later[apart], earlier[apart]
        agreed = _estimate(signatures, later, earlier) >= threshold - ESTIMATE_MARGIN
        later, earlier = later[agreed], earlier[agreed]
        # What was unlike in another band is not compared again.
        again = numpy.isin(later * len(texts) + earlier, unlike)
        later, earlier = later[~again], earlier[~again]
        for start in range(0, len(later), HASHED_TEXTS):
            part = slice(start, start + HASHED_TEXTS)
            named, place = numpy.unique((later[part], earlier[part]), return_inverse=True)
            sets = make_gram_sets([texts[each] for each in named.tolist()])
            one, other = place.reshape(2, -1)
            similar = measure_similarity(sets, (one, other)) >= threshold - TOLERANCE
            clusters.join(later[part][similar], earlier[part][similar])
            failed = later[part][~similar] * len(texts) + earlier[part][~similar]
            unlike = numpy.concatenate((unlike, failed))
    found: list[int] = clusters.roots.tolist()
    return found


def _sign(texts: Sequence[str]) -> tuple[Any, NDArray[uint8]]:
    """Of each text the hashes of its bands, and a byte of each value of its signature."""
    import numpy
    from rensa import RMinHash

    permutations = BAND_SIZE * BANDS
    bands = numpy.empty((len(texts), BANDS), dtype=numpy.uint64)
    signatures = numpy.empty((len(texts), permutations), dtype=numpy.uint8)
    for start in range(0, len(texts), HASHED_TEXTS):
        part = slice(start, start + HASHED_TEXTS)
        grams, begins = hash_grams(texts[part])
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(grams, begins, permutations, 0)
        rows = numpy.array(matrix.to_rows(), dtype=numpy.uint64)
        signatures[part] = rows & numpy.uint64(0xFF)
        mixed = rows.reshape(-1, BANDS, BAND_SIZE)
        band = mixed[:, :, 0].copy()
        for place in range(1, BAND_SIZE):
            band *= numpy.uint64(0x9E3779B97F4A7C15)
            band ^= band >> numpy.uint64(29)
            band += mixed[:, :, place]
        bands[part] = band
    return bands, signatures


def _pair_in_band(hashes: Any) -> Pairs:
    """Pairs of texts of one hash, each with a few before it."""
    import numpy

    order = numpy.argsort(hashes, kind="stable")
    ranked = hashes[order]
    later, earlier = [], []
    for distance in range(1, NEIGHBOURS_IN_BAND + 1):
        equal = numpy.flatnonzero(ranked[distance:] == ranked[:-distance])
        later.append(order[equal + distance])
        earlier.append(order[equal])
    return numpy.concatenate(later), numpy.concatenate(earlier)


def _estimate(signatures: NDArray[uint8], first: Any, second: Any) -> Any:
    """The Jaccard index of each pair by the proportion of equal values of their signatures."""
    import numpy

    found = numpy.empty(len(first))
    for start in range(0, len(first), HASHED_TEXTS):
        part = slice(start, start + HASHED_TEXTS)
        found[part] = (signatures[first[part]] == signatures[second[part]]).mean(axis=1)
    return found
