"""The review page: an item with a key for each choice, skip and undo, and text that stays text."""

import pytest

from tests.support.gateway.dashboard import HOSTILE, PageReader, browser_of, sign_in
from tests.support.gateway.gateway import ServedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


def keys_of(text: str) -> dict[str, dict[str, str]]:
    """The buttons of a page by their keys."""
    buttons = [stated for tag, stated in PageReader(text).elements if tag == "button"]
    return {stated["data-key"]: stated for stated in buttons if "data-key" in stated}


async def test_items_are_reviewed_by_keys(gateway: ServedGateway, name: str) -> None:
    await gateway.configure_agent(name)
    items = [{"request": HOSTILE, "answers": [HOSTILE]}, {"request": "second", "answers": ["a"]}]
    body = {"kind": "rubric", "rubric": HOSTILE, "items": items}
    assert (await gateway.http.post(f"/v1/agents/{name}/reviews", json=body)).status_code == 201
    place = f"/agents/{name}/review"
    async with browser_of(gateway) as browser:
        await sign_in(browser)
        page = (await browser.get(place)).text
        assert "<script>alert" not in page
        keys = keys_of(page)
        assert [keys[key]["value"] for key in "12345"] == ["1", "2", "3", "4", "5"]
        action = next(
            form["action"] for tag, form in PageReader(page).elements
            if tag == "form" and form.get("action", "").startswith(f"{place}/")
        )  # fmt: skip
        wrong = await browser.post(action, data={"choice": "9"})
        assert wrong.status_code == 422
        chosen = await browser.post(action, data={"choice": "4"})
        assert (chosen.status_code, chosen.headers["location"]) == (303, place)
        again = await browser.post(action, data={"choice": "5"})  # a second tab, still at that item
        assert again.headers["location"] == f"{place}?accepted=passed-on"
        assert "another tab had reviewed" in (await browser.get(again.headers["location"])).text
        assert "second" in (await browser.get(place)).text
        assert (await browser.post(f"{place}/undo")).status_code == 303
        assert "second" not in (await browser.get(place)).text
        assert (await browser.post(action, data={"skip": "skip"})).status_code == 303
        last = (await browser.get(place)).text
        assert "second" in last
        found = await gateway.get(f"/v1/agents/{name}/reviews")
        assert found["reviews"] == []
