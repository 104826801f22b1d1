"""The pause after empty fetches, and the private method of aiokafka that it rests on."""

from __future__ import annotations

import asyncio
import inspect
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.fetcher import Fetcher

from archon_contracts.client.idle_fetch import IdleFetchBackoff, pace_idle_fetches

NODE = 1


class ScriptedFetcher:
    """Answers fetches with the given results, then waits for ever in the last one's place."""

    def __init__(self, *results: bool) -> None:
        self.results = list(results)
        self._proc_fetch_request: Any = self.answer

    async def answer(self, assignment: object, node_id: int, request: object) -> bool:
        try:
            return self.results.pop(0)
        except IndexError:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # as aiokafka does
                return False
            raise


def consumer_of(fetcher: ScriptedFetcher) -> Any:
    return SimpleNamespace(_fetcher=fetcher)


def test_aiokafka_still_has_the_method_that_is_wrapped() -> None:
    method = Fetcher._proc_fetch_request

    assert inspect.iscoroutinefunction(method), version("aiokafka")
    assert list(inspect.signature(method).parameters) == [
        "self",
        "assignment",
        "node_id",
        "request",
    ]


def test_aiokafka_still_calls_the_method_through_the_instance() -> None:
    routine = inspect.getsource(Fetcher._fetch_requests_routine)

    assert "self._proc_fetch_request(assignment, node_id, request)" in routine
    assert "any(fut.result() for fut in done_pending)" in routine  # the result means "has data"


def test_waits_double_up_to_the_maximum() -> None:
    pace = IdleFetchBackoff(0.1)

    waits = [round(pace.after_empty(NODE), 3) for _ in range(8)]

    assert waits == [0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.1, 0.1]


def test_data_resets_the_wait_of_its_node_only() -> None:
    pace = IdleFetchBackoff(0.1)
    for node in (1, 1, 1, 2, 2, 2):
        pace.after_empty(node)

    pace.after_data(1)

    assert pace.after_empty(1) == 0.002
    assert pace.after_empty(2) == 0.016


def test_a_maximum_below_the_first_wait_is_kept() -> None:
    assert IdleFetchBackoff(0.001).after_empty(NODE) == 0.001


def test_a_maximum_of_zero_leaves_the_consumer_alone() -> None:
    fetcher = ScriptedFetcher(True)

    pace_idle_fetches(consumer_of(fetcher), maximum_wait_seconds=0.0)

    assert fetcher._proc_fetch_request == fetcher.answer


async def test_results_of_fetches_are_passed_on() -> None:
    fetcher = ScriptedFetcher(True, False, True)
    pace_idle_fetches(consumer_of(fetcher), maximum_wait_seconds=0.002)

    results = [await fetcher._proc_fetch_request(None, NODE, None) for _ in range(3)]

    assert results == [True, False, True]


async def test_a_cancel_during_the_wait_ends_the_fetch_without_an_error() -> None:
    fetcher = ScriptedFetcher(False)
    pace_idle_fetches(consumer_of(fetcher), maximum_wait_seconds=3600)
    task = asyncio.ensure_future(fetcher._proc_fetch_request(None, NODE, None))
    await asyncio.sleep(0)

    task.cancel()

    assert await task is False


async def test_a_cancel_during_the_fetch_is_not_followed_by_a_wait() -> None:
    fetcher = ScriptedFetcher()
    pace_idle_fetches(consumer_of(fetcher), maximum_wait_seconds=3600)
    task = asyncio.ensure_future(fetcher._proc_fetch_request(None, NODE, None))
    await asyncio.sleep(0)

    task.cancel()

    assert await asyncio.wait_for(task, timeout=5) is False
