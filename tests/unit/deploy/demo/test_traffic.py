"""Production traffic: the same for a seed, each request once."""

import asyncio
from pathlib import Path

from deploy.demo.client_log import ProductionRequest
from deploy.demo.traffic import LATER_USERS, Traffic, make_requests, without_corrections

ITEMS = [(f"question {n}", f"tool {n}") for n in range(100)]


def test_every_item_is_asked_once_and_has_an_id_of_its_own() -> None:
    busy, later = make_requests(ITEMS, seed=1)

    assert sorted(request.input for request in busy + later) == sorted(text for text, _ in ITEMS)
    assert len({request.request_id for request in busy + later}) == len(ITEMS)


def test_a_correction_is_the_right_answer_of_its_request() -> None:
    busy, _ = make_requests(ITEMS, seed=1)

    right = dict(ITEMS)
    assert all(r.correction in (None, right[r.input]) for r in busy)
    assert sum(r.correction is not None for r in busy) == 64


def test_later_every_user_says_what_was_right_or_none_does() -> None:
    _, later = make_requests(ITEMS, seed=1)

    right = dict(ITEMS)
    assert [r.correction for r in later] == [right[r.input] for r in later]
    assert len(later) == 20
    assert all(r.correction is None for r in without_corrections(later))


async def test_requests_that_trickle_have_ids_of_their_own_and_users_who_come_again(
    tmp_path: Path,
) -> None:
    traffic = Traffic(tmp_path / "requests.jsonl")
    _, later = make_requests(ITEMS, seed=1)

    for _ in range(2):
        async with traffic.trickling(later, every_seconds=0):
            await asyncio.sleep(0.05)

    lines = (tmp_path / "requests.jsonl").read_text().splitlines()
    sent = [ProductionRequest.model_validate_json(line) for line in lines]
    assert len({each.request_id for each in sent}) == len(sent) > LATER_USERS
    assert len({each.unit_id for each in sent}) == LATER_USERS


def test_the_seed_alone_decides_the_order() -> None:
    assert make_requests(ITEMS, seed=1) == make_requests(ITEMS, seed=1)
    assert make_requests(ITEMS, seed=1) != make_requests(ITEMS, seed=2)
