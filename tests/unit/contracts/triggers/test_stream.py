"""The stream of an agent's rated answers."""

import json
import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.triggers import (
    ObservedAnswer,
    StreamState,
    observe,
    start_version,
    start_window,
)
from archon_contracts.triggers.error_drift import EVIDENCE, find_one_rater
from archon_contracts.triggers.stream import (
    MAX_RATERS,
    REFERENCE_ANSWERS,
    REFERENCE_FADE,
    RatingSums,
)

answers = st.builds(
    ObservedAnswer,
    correct=st.none() | st.booleans(),
    rating=st.none() | st.integers(1, 5).map(float),
    version=st.sampled_from([None, "1.0.0", "2.0.0"]),
    rater=st.sampled_from("abcd"),
)


def answer(*, wrong: bool = False, rater: str = "a", version: str | None = None) -> ObservedAnswer:
    return ObservedAnswer(not wrong, None, version, rater)


def stream(
    error: float, count: int, seed: int, raters: Sequence[str] = "abcdefgh"
) -> list[ObservedAnswer]:
    choose = random.Random(seed)
    return [
        answer(wrong=choose.random() < error, rater=choose.choice(raters)) for _ in range(count)
    ]


@given(st.lists(answers, max_size=60), st.data())
def test_a_restart_at_any_event_changes_nothing(
    given_answers: list[ObservedAnswer], data: st.DataObject
) -> None:
    began = start_version(StreamState(), "1.0.0", RatingSums())
    place = data.draw(st.integers(0, len(given_answers)))

    whole = observe(began, given_answers, 0.1)
    first = observe(began, given_answers[:place], 0.1)
    stored = json.loads(json.dumps(first.to_json()))
    again = observe(StreamState.of_json(stored), given_answers[place:], 0.1)

    assert again.to_json() == whole.to_json()


def test_late_answers_of_another_version_are_not_the_deployed_ones() -> None:
    began = start_version(StreamState(), "2.0.0", RatingSums())
    late = ObservedAnswer(False, 1.0, "1.0.0", "a")

    seen = observe(began, [late] * 40, 0.1)

    assert (seen.answers, seen.wrong, seen.evidence) == (0, 0, 0.0)
    assert seen.late_ratings == RatingSums(40, 40.0)


def test_a_rise_of_the_errors_gathers_evidence_and_a_steady_rate_none() -> None:
    steady = observe(StreamState(), stream(0.05, 3_000, seed=1), 0.1)
    risen = observe(steady, stream(0.4, 100, seed=2), 0.1)

    assert steady.evidence < EVIDENCE
    assert risen.evidence > EVIDENCE


def test_one_rater_who_becomes_hostile_is_distinguished() -> None:
    steady = observe(StreamState(), stream(0.05, 1_000, seed=3), 0.1)
    hostile = observe(steady, [answer(wrong=True, rater="h") for _ in range(60)], 0.1)

    assert hostile.evidence > EVIDENCE
    assert find_one_rater(hostile) == "h"
    assert find_one_rater(observe(steady, stream(0.4, 100, seed=4), 0.1)) is None


def test_a_new_version_keeps_most_of_the_reference_and_nothing_of_the_stream() -> None:
    old = observe(StreamState(), stream(0.1, 1_000, seed=5), 0.1)

    new = start_version(old, "2.0.0", RatingSums())

    assert (new.answers, new.wrong, new.excess, new.evidence) == (0, 0, 0.0, 0.0)
    assert new.reference_answers == REFERENCE_ANSWERS * REFERENCE_FADE
    assert start_version(new, "2.0.0", RatingSums()) is new


def test_unused_ratings_of_the_version_before_are_late_ones_of_the_next() -> None:
    new = start_version(StreamState(version="1.0.0"), "2.0.0", RatingSums(40, 80.0))

    assert new.late_ratings == RatingSums(40, 80.0)


def test_the_state_is_bounded_however_many_raters_there_are() -> None:
    many = [answer(wrong=True, rater=str(n)) for n in range(500)]

    seen = observe(StreamState(), many, 0.1)

    assert len(seen.raters) <= MAX_RATERS + 1
    assert sum(seen.raters.values()) == 500


def test_a_window_ends_what_made_it_due() -> None:
    seen = observe(StreamState(), stream(0.4, 500, seed=6), 0.1)

    begun = start_window(seen)

    assert (begun.evidence, begun.excess, begun.late_ratings.n) == (0.0, 0.0, 0)
    assert begun.answers == seen.answers


def test_late_ratings_that_a_window_leaves_stay_late() -> None:
    waiting = StreamState(late_ratings=RatingSums(40, 80.0))

    assert start_window(waiting, RatingSums(30, 50.0)).late_ratings == RatingSums(10, 30.0)
    assert start_window(waiting, RatingSums(40, 80.0)).late_ratings == RatingSums()
    assert start_window(waiting, RatingSums(60, 90.0)).late_ratings == RatingSums()
