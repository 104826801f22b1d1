"""`archon open`: a browser is opened by a link that works once, or the link is printed."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.first_steps import open_page
from deploy.cli.main import app

LINK = "http://here:8080/sign-in?link=once"


class LinkingGateway:
    """A gateway that makes links; remembers what for."""

    url = "http://here:8080"

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def __enter__(self) -> "LinkingGateway":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def post(self, path: str, body: Any) -> dict[str, str]:
        self.asked.append((path, body))
        return {"path": "/sign-in?link=once", "expires_at": "2026-03-01T12:05:00Z"}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> LinkingGateway:
    found = LinkingGateway()
    monkeypatch.setattr(open_page, "connect", lambda _url, _key: found)
    return found


@pytest.mark.parametrize(("opens", "printed"), [(True, "opened the dashboard"), (False, LINK)])
def test_a_page_is_opened_or_its_link_is_printed(
    monkeypatch: pytest.MonkeyPatch, gateway: LinkingGateway, opens: bool, printed: str
) -> None:
    links: list[str] = []
    monkeypatch.setattr(open_page.webbrowser, "open", lambda link: links.append(link) or opens)

    result = CliRunner().invoke(app, ["open", "--page", "/agents/a"])

    assert result.exit_code == 0, result.output
    assert printed in result.output
    assert links == [LINK]
    assert gateway.asked == [("/v1/sign-in-links", {"next": "/agents/a"})]


@pytest.mark.parametrize("option", ["--print", "--json"])
def test_a_script_gets_the_link_and_no_browser(
    monkeypatch: pytest.MonkeyPatch, gateway: LinkingGateway, option: str
) -> None:
    monkeypatch.setattr(open_page.webbrowser, "open", lambda _: pytest.fail("a browser opened"))

    result = CliRunner().invoke(app, ["open", option])

    shown = json.loads(result.output)["link"] if option == "--json" else result.output.strip()
    assert shown == LINK
