"""The index of prefixes misses no similar set."""

from hypothesis import given
from hypothesis import strategies as st

from shared.similarity import PrefixIndex

sets = st.lists(st.frozensets(st.integers(0, 12), min_size=1), max_size=20)


def _jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / len(one | other)


@given(sets, st.sampled_from((0.4, 0.5, 0.7, 0.8, 1.0)))
def test_every_set_that_reaches_the_limit_is_a_candidate(
    collection: list[frozenset[int]], limit: float
) -> None:
    index: PrefixIndex[int] = PrefixIndex(limit)
    for position, members in enumerate(collection):
        found = set(index.candidates(sorted(members)))
        similar = (n for n in range(position) if _jaccard(members, collection[n]) >= limit)
        assert found.issuperset(similar)
        index.add(sorted(members))


def test_asking_does_not_grow_the_index() -> None:
    index: PrefixIndex[str] = PrefixIndex(0.5)

    assert list(index.candidates(["a", "b"])) == []
    assert not index._postings
