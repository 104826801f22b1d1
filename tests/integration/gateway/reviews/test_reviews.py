"""The review queue: one reviewer an item, blind pairs, skip, undo, agreement, refusals."""

import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAIR = {"request": "q", "answers": ["old answer", "new answer"], "versions": ["1.0.0", "1.1.0"]}


@asynccontextmanager
async def reviewer(gateway: ServedGateway, *scopes: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key of its own, which is a reviewer of its own."""
    body = {"name": "r", "scopes": list(scopes or ("annotate",))}
    made = await gateway.http.post("/v1/keys", json=body)
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    async with httpx.AsyncClient(base_url=gateway.http.base_url, headers=headers) as client:
        yield client


async def add(gateway: ServedGateway, agent: str, items: list[Any], **fields: Any) -> None:
    body = {"kind": "rubric", "items": items} | fields
    answer = await gateway.http.post(f"/v1/agents/{agent}/reviews", json=body)
    assert answer.status_code == 201, answer.text


def items_of(count: int) -> list[dict[str, Any]]:
    return [{"request": f"q{n}", "answers": [f"a{n}"]} for n in range(count)]


async def get_next(client: httpx.AsyncClient, agent: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/agents/{agent}/reviews/next")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def choose(client: httpx.AsyncClient, task: dict[str, Any], choice: str) -> int:
    body = {"choice": choice}
    return (await client.post(f"/v1/reviews/{task['task_id']}/choice", json=body)).status_code


async def test_two_reviewers_never_have_the_same_item(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    await add(gateway, name, items_of(2))
    async with reviewer(gateway) as one, reviewer(gateway) as two:
        first, second = await get_next(one, name), await get_next(two, name)
        assert (first["request"], second["request"]) == ("q0", "q1")
        assert (await get_next(one, name))["task_id"] == first["task_id"]
        assert await choose(two, first, "5") == 409
        assert await choose(one, first, "9") == 422
        assert await choose(one, first, "5") == 200
        assert await choose(one, first, "5") == 409
        nothing = await one.get(f"/v1/agents/{name}/reviews/next")
        assert (nothing.status_code, nothing.content) == (204, b"")


async def test_a_pair_is_blind_and_kept_by_version(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    await add(gateway, name, [PAIR] * 6, kind="pairwise")
    async with reviewer(gateway) as client:
        orders = set()
        for _ in range(6):
            task = await get_next(client, name)
            assert "1.1.0" not in str(task)
            assert task["choices"] == ["A", "B", "tie"]
            orders.add(tuple(task["answers"]))
            better = "AB"[task["answers"].index("new answer")]
            assert await choose(client, task, better) == 200
    found = await gateway.get(f"/v1/agents/{name}/reviews")
    assert [each["choice"] for each in found["reviews"]] == ["1.1.0"] * 6
    assert found["counts"] == [{"kind": "pairwise", "tasks": 6, "done": 6, "reviews": 6}]


async def test_skip_leaves_an_item_to_others_and_undo_gives_it_back(
    gateway: ServedGateway, name: str
) -> None:
    await gateway.configure_agent(name)
    await add(gateway, name, items_of(2))
    async with reviewer(gateway) as one, reviewer(gateway) as two:
        first = await get_next(one, name)
        assert (await one.post(f"/v1/reviews/{first['task_id']}/skip")).status_code == 200
        second = await get_next(one, name)
        assert second["request"] == "q1"
        assert (await get_next(two, name))["request"] == "q0"
        assert await choose(one, second, "1") == 200
        undone = await one.post(f"/v1/agents/{name}/reviews/undo")
        assert undone.json()["task_id"] == second["task_id"]
        assert (await gateway.get(f"/v1/agents/{name}/reviews"))["reviews"] == []
        assert await choose(one, await get_next(one, name), "4") == 200
        assert (await two.post(f"/v1/agents/{name}/reviews/undo")).status_code == 409
    found = await gateway.get(f"/v1/agents/{name}/reviews")
    assert [each["choice"] for each in found["reviews"]] == ["4"]


async def test_agreement_is_of_items_that_both_reviewed(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    await add(gateway, name, items_of(4), kind="label", labels=["yes", "no"], votes=2)
    chosen = {"q0": ("yes", "yes"), "q1": ("no", "no"), "q2": ("yes", "no"), "q3": ("yes", "yes")}
    async with reviewer(gateway) as one, reviewer(gateway) as two:
        for place, client in enumerate((one, two)):
            for _ in range(4):
                task = await get_next(client, name)
                assert await choose(client, task, chosen[task["request"]][place]) == 200
    found = await gateway.get(f"/v1/agents/{name}/reviews")
    assert found["agreement"] == [
        {"kind": "label", "coefficient": "cohen", "kappa": pytest.approx(0.5), "items": 4}
    ]


async def test_the_next_of_many_items_comes_fast(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    for _ in range(3):
        await add(gateway, name, items_of(1_000))
    seconds = []
    async with reviewer(gateway) as client:
        for _ in range(15):
            started = time.perf_counter()
            task = await get_next(client, name)
            seconds.append(time.perf_counter() - started)
            assert await choose(client, task, "3") == 200
    assert statistics.median(seconds) < 0.1


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"kind": "pairwise", "items": items_of(1)}, "needs 2"),
        ({"kind": "label", "items": items_of(1), "labels": ["yes"]}, "two or more"),
        ({"kind": "rubric", "items": []}, "items"),
        ({"kind": "rubric", "items": items_of(1), "votes": 0}, "votes"),
        ({"kind": "essay", "items": items_of(1)}, "kind"),
    ],
)
async def test_items_that_do_not_fit_are_refused(
    gateway: ServedGateway, name: str, body: dict[str, Any], names: str
) -> None:
    await gateway.configure_agent(name)

    answer = await gateway.http.post(f"/v1/agents/{name}/reviews", json=body)

    assert answer.status_code == 422, answer.text
    assert names in answer.text


async def test_scopes_of_reviews(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    async with reviewer(gateway, "read") as reader, reviewer(gateway) as annotator:
        tasks = {"kind": "rubric", "items": items_of(1)}
        assert (await reader.get(f"/v1/agents/{name}/reviews/next")).status_code == 403
        assert (await annotator.post(f"/v1/agents/{name}/reviews", json=tasks)).status_code == 403
        assert (await annotator.get("/v1/agents/nobody-here/reviews/next")).status_code == 404
