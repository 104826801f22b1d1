"""Which errors are tried again, and which set a record aside."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from shared.errors import DatabaseUnavailable, PermanentError, RetryableError
from shared.kafka import retry_policy as module
from shared.kafka.retry_policy import Place, Quarantine
from shared.kafka.watchdog import Progress
from shared.messaging.messages import RawRecord

RECORD = RawRecord("topic", 0, 1, None, b"{}")


class CountingQuarantine(Quarantine):
    """The real policy with its two database steps kept in memory."""

    def __init__(self) -> None:
        self._max_attempts = 3
        self._handler_timeout = 0.05
        self._owed = set()
        self.tries = 0
        self.away: list[str] = []
        self.aside: list[tuple[str, int]] = []

    async def _count(self, _places: Sequence[Place]) -> int:
        self.tries += 1
        if self.away and self.away[-1] == "after count":
            self.away.pop()
            raise DatabaseUnavailable("cut off after the commit")
        return self.tries

    async def _forget(self, _places: Sequence[Place]) -> None:
        if self.away and self.away.pop():
            raise DatabaseUnavailable("cut off")
        self.tries = 0

    async def set_aside(
        self, record: RawRecord, error: Exception, attempts: int, *, keep_count: bool = False
    ) -> None:
        self.aside.append((str(error), attempts))


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_SECONDS", 0.001)


async def _protect(policy: Quarantine, *errors: Exception | None) -> int:
    outcomes = list(errors)
    calls = 0

    async def handle() -> None:
        nonlocal calls
        calls += 1
        error = outcomes.pop(0)
        if error is not None:
            raise error

    await policy.protect(RECORD, handle, Progress())
    return calls


async def test_a_permanent_error_sets_the_record_aside_at_once() -> None:
    policy = CountingQuarantine()
    assert await _protect(policy, PermanentError("agent is unknown")) == 1
    assert policy.aside == [("agent is unknown", 1)]


async def test_a_passing_error_is_tried_again() -> None:
    policy = CountingQuarantine()
    assert await _protect(policy, RetryableError("busy"), None) == 2
    assert policy.aside == []


async def test_an_unknown_error_is_tried_a_bounded_number_of_times() -> None:
    policy = CountingQuarantine()
    bugs = [KeyError("x") for _ in range(9)]
    assert await _protect(policy, *bugs) == 3
    assert policy.aside == [("'x'", 3)]


async def test_an_absent_database_never_counts_against_a_record() -> None:
    policy = CountingQuarantine()
    away = [DatabaseUnavailable("away") for _ in range(8)]
    assert await _protect(policy, *away, None) == 9
    assert policy.aside == []


async def test_a_record_that_killed_the_process_too_often_is_not_handled_again() -> None:
    policy = CountingQuarantine()
    policy.tries = 3
    assert await _protect(policy) == 0
    assert policy.aside == [("the record ended its handler 3 times", 3)]


async def test_a_handler_that_hangs_is_tried_again_and_then_set_aside() -> None:
    policy = CountingQuarantine()
    await policy.protect(RECORD, asyncio.Event().wait, Progress())
    assert [attempts for _, attempts in policy.aside] == [3]


@pytest.mark.parametrize("moment", ["at forget", "after count"])
async def test_a_try_that_could_not_be_taken_back_is_so_before_the_next(moment: str) -> None:
    policy = CountingQuarantine()
    policy.away = [moment] * 4
    away = [DatabaseUnavailable("away") for _ in range(8)]
    await _protect(policy, *away, None, None)
    assert policy.aside == []
    assert policy.tries == 0


async def test_a_batch_is_counted_where_it_begins_in_each_partition() -> None:
    places = [("b", 1, 7), ("a", 2, 9), ("b", 1, 8), ("a", 0, 3)]
    records = [RawRecord(*place, None, b"{}") for place in places]
    assert module._heads(records) == [("a batch", 0, 3), ("a batch", 2, 9), ("b batch", 1, 7)]


class Killed(BaseException):
    """What a kill of the process is to the code that it meets."""


class RememberingQuarantine(Quarantine):
    """The real policy; its table of counts and its dead letters outlive the process."""

    def __init__(self, counts: Counter[Place], letters: set[Place]) -> None:
        self._max_attempts = 2
        self._handler_timeout = 0.05
        self._owed = set()
        self._counts = counts
        self._letters = letters

    async def _count(self, places: Sequence[Place]) -> int:
        self._counts.update(places)
        return max(self._counts[place] for place in places)

    async def _forget(self, places: Sequence[Place]) -> None:
        for place in places:
            del self._counts[place]

    async def set_aside(
        self, record: RawRecord, error: Exception, attempts: int, *, keep_count: bool = False
    ) -> None:
        self._letters.add(module._place(record))
        if not keep_count:
            await self._forget([module._place(record)])


async def test_records_of_one_batch_that_kill_the_process_do_so_no_oftener_for_their_number() -> (
    None
):
    records = [RawRecord("topic", 0, offset, None, b"{}") for offset in range(12)]
    deadly = {place for place in map(module._place, records) if place[2] % 2}
    counts, letters, kills = Counter[Place](), set[Place](), Counter[Place]()

    async def handle(batch: list[RawRecord]) -> None:
        for place in map(module._place, batch):
            if place in deadly:
                kills[place] += 1
                raise Killed

    processes = 0
    while processes < 100:
        processes += 1
        try:
            policy = RememberingQuarantine(counts, letters)
            await policy.protect_batch(records, handle, Progress())
            break
        except Killed:
            continue
    assert letters == deadly
    assert max(kills[place] for place in deadly) <= 4  # as one of the batch twice, and twice alone
    assert not counts
