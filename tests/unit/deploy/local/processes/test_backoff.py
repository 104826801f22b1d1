"""How long a part that died waits before it is started again."""

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.processes.backoff import Backoff


def test_the_wait_doubles_from_a_fifth_of_a_second_to_ten_seconds():
    backoff = Backoff()

    waits = [backoff.delay_seconds(failures) for failures in range(1, 9)]

    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_long_healthy_life_forgives_earlier_failures():
    assert Backoff().next_failures(5, lived_seconds=30.0) == 1


def test_a_short_life_adds_to_the_failures():
    assert Backoff().next_failures(5, lived_seconds=29.9) == 6


@given(st.integers(min_value=1, max_value=10**6))
def test_the_wait_is_always_within_its_bounds(failures):
    assert 0.2 <= Backoff().delay_seconds(failures) <= 10.0
