"""A backlog must be gone within twice the outage that made it."""

import pytest

from tests.faults.scenarios.messaging.broker import Drain


@pytest.mark.parametrize(
    ("last", "problems"),
    [
        (119.9, []),
        (120.0, ["the backlog of an outage of 60 s took 120 s to drain"]),
        (None, ["the backlog of an outage of 60 s did not drain"]),
    ],
)
def test_a_slow_drain_is_reported(last: float | None, problems: list[str]) -> None:
    assert Drain(outage=60, first=1.0, last=last).problems == problems
