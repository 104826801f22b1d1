"""Bad records are the same for the same seed, and each has an id of its own."""

import random

from tests.faults.workload.bad_records import BadRecord, BadRecords


def made(seed: int) -> list[BadRecord]:
    bad = BadRecords(random.Random(seed), "agent")
    return [*bad.known(), *bad.odd(), *bad.raw(), *(bad.fuzzed() for _ in range(50))]


def test_a_seed_always_gives_the_same_records() -> None:
    assert made(3) == made(3)
    assert made(3) != made(4)


def test_claimed_ids_are_all_different() -> None:
    ids = [value for record in made(3) for name, value in record.headers if name == "ce_id"]
    assert len(ids) == len(set(ids))
