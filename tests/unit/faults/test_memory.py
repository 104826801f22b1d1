"""A leak is reported for the service that has it; missing samples do not pass as no leak."""

import os
import time

from tests.faults.accounting.memory import SETTLED_SECONDS, WATCHED_SECONDS, Sizes

LOOKS = 20


def watched(
    service: str = "registry",
    *,
    megabytes_a_look: float = 0.0,
    seconds: float = 2 * WATCHED_SECONDS,
    begun: float = 0.0,
    start: float = 50.0,
    sizes: Sizes | None = None,
) -> Sizes:
    """A process that is looked at evenly, from the moment it has settled."""
    sizes = sizes or Sizes()
    for look in range(LOOKS + 1):
        age = SETTLED_SECONDS + seconds * look / LOOKS
        sizes.record(service, begun, age, start + megabytes_a_look * look)
    return sizes


def test_a_small_service_that_grows_is_reported_beside_a_large_one_that_does_not() -> None:
    sizes = watched("trainer", start=900)
    watched("registry", megabytes_a_look=1, sizes=sizes)

    assert sizes.problems(["trainer", "registry"], required=True) == [
        "a process of registry grew by 19%"
    ]


def test_a_new_process_is_not_compared_with_the_one_before_it() -> None:
    sizes = watched(start=50)
    watched(start=90, begun=1.0, sizes=sizes)

    assert sizes.problems(["registry"], required=True) == []


def test_one_process_of_several_that_grows_is_reported() -> None:
    sizes = watched(megabytes_a_look=2)
    watched(begun=1.0, sizes=sizes)

    assert len(sizes.problems(["registry"], required=True)) == 1


def test_what_was_not_watched_long_enough_is_a_problem_where_it_must_be_known() -> None:
    sizes = watched(seconds=WATCHED_SECONDS / 2, megabytes_a_look=9)

    assert sizes.problems(["registry"], required=False) == []
    assert sizes.problems(["registry"], required=True) == [
        "no process of registry was watched for long enough"
    ]
    assert sizes.facts(["registry"]) == {"registry": "not watched"}


def test_what_a_process_loads_at_its_start_is_no_growth() -> None:
    sizes = Sizes()
    sizes.record("registry", 0.0, SETTLED_SECONDS - 1, 1.0)
    watched(sizes=sizes)

    assert sizes.facts(["registry"]) == {"registry": "+0.0%"}


def test_processes_are_looked_at_by_their_age() -> None:
    sizes = Sizes()

    for seconds in (0, WATCHED_SECONDS / 2, WATCHED_SECONDS + 1):
        later = time.time() + SETTLED_SECONDS + seconds
        sizes.look({"registry": os.getpid(), "trainer": None, "gateway": 2**22}, later)

    assert sizes.growth("registry") is not None
    assert sizes.growth("trainer") is None
    assert sizes.growth("gateway") is None
