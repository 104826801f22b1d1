"""Waiting ends with the fact, or with a sentence that names it."""

from collections.abc import Awaitable, Callable

import pytest

from deploy.demo.errors import DemoError
from deploy.demo.polling import poll_until
from deploy.gateway_client import ApiError


def answers(*values: object) -> Callable[[], Awaitable[object]]:
    """A probe that gives these in turn; errors are raised."""
    remaining = list(values)

    async def probe() -> object:
        found = remaining.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return probe


async def test_the_fact_is_given_as_soon_as_it_is_so() -> None:
    assert await poll_until("it was so", answers(None, "so")) == "so"


async def test_a_gateway_that_is_away_is_asked_again() -> None:
    assert (
        await poll_until("it was so", answers(ApiError("gone"), ApiError("busy", 429), "so"))
        == "so"
    )


async def test_a_refusal_ends_the_waiting() -> None:
    with pytest.raises(ApiError, match="no such job"):
        await poll_until("it was so", answers(ApiError("no such job", 404)))


async def test_what_never_comes_true_is_named() -> None:
    with pytest.raises(DemoError, match="without success for this: pigs flew"):
        await poll_until("pigs flew", answers(*[None] * 9), seconds=0.3)
