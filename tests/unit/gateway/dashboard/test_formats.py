"""Numbers, times and addresses as pages show them."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from services.gateway.dashboard.browser import is_forged, read_next
from services.gateway.dashboard.formats import MINUS, NOTHING, ago, duration, link, percent, points

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, NOTHING),
        (0.4211, "0.42 s"),
        (12, "12 s"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (3600, "1 h"),
        (180_000, "2 d 2 h"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(2, "just now"), (-3, "just now"), (42, "42 s ago"), (7200, "2 h ago"), (-7200, "in 2 h")],
)
def test_a_time_is_relative_and_clocks_may_differ(seconds: float, shown: str) -> None:
    assert ago(NOON - timedelta(seconds=seconds), NOON) == shown


def test_proportions_have_one_decimal_and_a_true_minus() -> None:
    assert (percent(0.8444), points(-0.031), points(0.02)) == ("84.4 %", f"{MINUS}3.1", "+2.0")


@given(st.text(), st.text(min_size=1))
def test_an_address_keeps_any_text_in_its_place(part: str, value: str) -> None:
    made = urlsplit(link("agents", part, agent_id=value))

    assert made.path.count("/") == 2
    assert made.netloc == ""
    assert parse_qs(made.query, keep_blank_values=True, errors="strict")["agent_id"] == [value]


@given(st.text())
def test_after_sign_in_a_browser_stays_on_this_site(place: str) -> None:
    target = read_next(place)

    assert target.startswith("/")
    assert target[1:2] not in ("/", "\\")


@pytest.mark.parametrize(
    ("headers", "forged"),
    [
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site", "Origin": "http://here"}, True),
        ({"Origin": "http://here"}, False),
        ({"Origin": "http://here:81"}, True),
        ({"Origin": "null"}, True),
        ({}, True),
    ],
)
def test_a_change_is_taken_from_this_site_alone(headers: dict[str, str], forged: bool) -> None:
    raw = [(n.lower().encode(), v.encode()) for n, v in {"host": "here", **headers}.items()]

    scope = {"type": "http", "method": "POST", "path": "/", "headers": raw}

    assert is_forged(Request(scope)) is forged
    assert not is_forged(Request({**scope, "method": "GET"}))
