"""Which errors are tried again, and which set a record aside."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from shared.errors import DatabaseUnavailable, PermanentError, RetryableError
from shared.kafka import retry_policy as module
from shared.kafka.retry_policy import RecordPosition, RetryPolicy
from shared.kafka.watchdog import ConsumerHeartbeat
from shared.messaging.messages import RawRecord

RECORD = RawRecord("topic", 0, 1, None, b"{}")


class CountingRetryPolicy(RetryPolicy):
    """The real policy with its two database steps kept in memory."""

    def __init__(self) -> None:
        self._max_attempts = 3
        self._handler_timeout = 0.05
        self._pending_resets = set()
        self.tries = 0
        self.away: list[str] = []
        self.aside: list[tuple[str, int]] = []

    async def _increment_counts(self, _places: Sequence[RecordPosition]) -> int:
        self.tries += 1
        if self.away and self.away[-1] == "after count":
            self.away.pop()
            raise DatabaseUnavailable("cut off after the commit")
        return self.tries

    async def _delete_counts(self, _places: Sequence[RecordPosition]) -> None:
        if self.away and self.away.pop():
            raise DatabaseUnavailable("cut off")
        self.tries = 0

    async def send_to_dead_letters(
        self, record: RawRecord, error: Exception, attempts: int, *, keep_count: bool = False
    ) -> None:
        self.aside.append((str(error), attempts))


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INITIAL_BACKOFF_SECONDS", 0.001)


async def _settle(policy: RetryPolicy, *errors: Exception | None) -> int:
    outcomes = list(errors)
    calls = 0

    async def handle() -> None:
        nonlocal calls
        calls += 1
        error = outcomes.pop(0)
        if error is not None:
            raise error

    await policy.settle(RECORD, handle, ConsumerHeartbeat())
    return calls


async def test_a_permanent_error_sets_the_record_aside_at_once() -> None:
    policy = CountingRetryPolicy()
    assert await _settle(policy, PermanentError("agent is unknown")) == 1
    assert policy.aside == [("agent is unknown", 1)]


async def test_a_passing_error_is_tried_again() -> None:
    policy = CountingRetryPolicy()
    assert await _settle(policy, RetryableError("busy"), None) == 2
    assert policy.aside == []


async def test_an_unknown_error_is_tried_a_bounded_number_of_times() -> None:
    policy = CountingRetryPolicy()
    bugs = [KeyError("x") for _ in range(9)]
    assert await _settle(policy, *bugs) == 3
    assert policy.aside == [("'x'", 3)]


async def test_an_absent_database_never_counts_against_a_record() -> None:
    policy = CountingRetryPolicy()
    away = [DatabaseUnavailable("away") for _ in range(8)]
    assert await _settle(policy, *away, None) == 9
    assert policy.aside == []


async def test_a_record_that_killed_the_process_too_often_is_not_handled_again() -> None:
    policy = CountingRetryPolicy()
    policy.tries = 3
    assert await _settle(policy) == 0
    assert policy.aside == [("the record ended its handler 3 times", 3)]


async def test_a_handler_that_hangs_is_tried_again_and_then_set_aside() -> None:
    policy = CountingRetryPolicy()
    await policy.settle(RECORD, asyncio.Event().wait, ConsumerHeartbeat())
    assert [attempts for _, attempts in policy.aside] == [3]


@pytest.mark.parametrize("moment", ["at reset", "after count"])
async def test_a_try_that_could_not_be_taken_back_is_so_before_the_next(moment: str) -> None:
    policy = CountingRetryPolicy()
    policy.away = [moment] * 4
    away = [DatabaseUnavailable("away") for _ in range(8)]
    await _settle(policy, *away, None, None)
    assert policy.aside == []
    assert policy.tries == 0


async def test_a_batch_is_counted_where_it_begins_in_each_partition() -> None:
    positions = [("b", 1, 7), ("a", 2, 9), ("b", 1, 8), ("a", 0, 3)]
    records = [RawRecord(*place, None, b"{}") for place in positions]
    assert module._batch_starts(records) == [
        ("a batch", 0, 3),
        ("a batch", 2, 9),
        ("b batch", 1, 7),
    ]


class ProcessKilled(BaseException):
    """What a kill of the process is to the code that it meets."""


class DurableRetryPolicy(RetryPolicy):
    """The real policy; its table of counts and its dead letters outlive the process."""

    def __init__(self, counts: Counter[RecordPosition], letters: set[RecordPosition]) -> None:
        self._max_attempts = 2
        self._handler_timeout = 0.05
        self._pending_resets = set()
        self._counts = counts
        self._letters = letters

    async def _increment_counts(self, positions: Sequence[RecordPosition]) -> int:
        self._counts.update(positions)
        return max(self._counts[place] for place in positions)

    async def _delete_counts(self, positions: Sequence[RecordPosition]) -> None:
        for place in positions:
            del self._counts[place]

    async def send_to_dead_letters(
        self, record: RawRecord, error: Exception, attempts: int, *, keep_count: bool = False
    ) -> None:
        self._letters.add(module._position_of(record))
        if not keep_count:
            await self._delete_counts([module._position_of(record)])


async def test_records_of_one_batch_that_kill_the_process_do_so_no_oftener_for_their_number() -> (
    None
):
    records = [RawRecord("topic", 0, offset, None, b"{}") for offset in range(12)]
    deadly = {place for place in map(module._position_of, records) if place[2] % 2}
    counts, letters, kills = (
        Counter[RecordPosition](),
        set[RecordPosition](),
        Counter[RecordPosition](),
    )

    async def handle(batch: list[RawRecord]) -> None:
        for place in map(module._position_of, batch):
            if place in deadly:
                kills[place] += 1
                raise ProcessKilled

    processes = 0
    while processes < 100:
        processes += 1
        try:
            policy = DurableRetryPolicy(counts, letters)
            await policy.settle_batch(records, handle, ConsumerHeartbeat())
            break
        except ProcessKilled:
            continue
    assert letters == deadly
    assert max(kills[place] for place in deadly) <= 4  # as one of the batch twice, and twice alone
    assert not counts
