"""How much of a window one rater may give."""

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.values import TrustPolicy
from services.data_prep.trust.limits import compute_unit_limit

LIMITS = TrustPolicy(unit_proportion=0.2, unit_floor=2)


@given(st.lists(st.integers(1, 50), max_size=20), st.integers(0, 200))
def test_a_units_limit_keeps_to_the_share_of_what_then_counts(counts: list[int], rest: int) -> None:
    limit = compute_unit_limit(counts, rest, LIMITS)

    used = [min(count, limit) for count in counts]
    share = max(LIMITS.unit_proportion, 2 / max(1, len(counts) + rest))
    assert all(count <= max(LIMITS.unit_floor, share * (rest + sum(used))) for count in used)


def test_a_flood_does_not_raise_its_own_limit() -> None:
    modest, flood = [[4] * 40 + [many] for many in (40, 4000)]

    assert (
        compute_unit_limit(modest, 0, TrustPolicy())
        == compute_unit_limit(flood, 0, TrustPolicy())
        == 10
    )


def test_the_only_unit_of_a_window_is_not_cut_short() -> None:
    assert compute_unit_limit([200], 0, TrustPolicy()) == 200
