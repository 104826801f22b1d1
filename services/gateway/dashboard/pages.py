"""Pages: templates, rendered with every text escaped, and the headers of a page.

A page loads nothing but this gateway's own assets and runs no script of its own text: what stands
in a label or a log cannot become either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.gateway.auth.credentials import Caller, Scope
from services.gateway.dashboard import formats
from services.gateway.dashboard.assets import load_assets

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES: Final = Path(__file__).parent / "templates"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    # Not `no-referrer`: browsers then send `Origin: null` with forms, from every site.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
SECTIONS: Final = (
    ("/", "Overview", Scope.READ),
    ("/jobs", "Jobs", Scope.READ),
    ("/experiments", "Experiments", Scope.READ),
    ("/data", "Data", Scope.READ),
    ("/compare", "Compare", Scope.READ),
    ("/operations", "Operations", Scope.READ),
    ("/handbook", "Handbook", Scope.READ),
)
"""What the navigation shows, and the scope without which the page would be refused."""
OPERATIONS: Final = (
    ("/operations/system", "System", Scope.OPERATE),
    ("/operations/dead-letters", "Dead letters", Scope.OPERATE),
    ("/operations/topics", "Topics", Scope.OPERATE),
    ("/operations/settings", "Settings", Scope.OPERATE),
    ("/operations/costs", "Costs", Scope.READ),
    ("/operations/keys", "Keys", Scope.ADMIN),
    ("/operations/audit", "Audit", Scope.READ),
)
"""The second line of the navigation, on pages of operations."""
ACCEPTED: Final = {
    "cancel": "The cancellation is on its way to the coordinator.",
    "deploy": "The deployment is on its way; the timeline shows it when it is done.",
    "passed-on": "Nothing was added: another tab had reviewed that item, or its ten minutes were "
    "over. This is the next one.",
    "policy": "The policy is on its way to the coordinator; it shows here once it is confirmed.",
    "replay": "The record is sent to its topic again.",
    "revoke": "The key is revoked.",
    "rollback": "The rollback is on its way; the timeline shows it when it is done.",
}
"""What a page says after a command, by the word in its address: never a text of the address."""


async def respond(
    request: Request,
    template: str,
    caller: Caller | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page as an answer."""
    # In a thread: rendering some hundred rows is CPU work, and others wait for answers.
    query = dict(request.query_params)
    text = await asyncio.to_thread(render, template, request.url.path, query, caller, **values)
    return HTMLResponse(text, status, {**HEADERS, **(headers or {})})


def render(
    template: str, path: str, query: Mapping[str, str], caller: Caller | None, **values: Any
) -> str:
    """The text of a page for this caller; None: nobody has signed in."""
    values.setdefault("now", datetime.now(UTC))
    return (
        _environment()
        .get_template(template)
        .render(
            path=path,
            query=query,
            accepted=ACCEPTED.get(query.get("accepted", "")),
            caller=caller,
            may={scope.value: caller is not None and scope in caller.scopes for scope in Scope},
            sections=list_sections(caller),
            operations=list_sections(caller, OPERATIONS),
            assets={name: asset.path for name, asset in load_assets().items()},
            **values,
        )
    )


def list_sections(
    caller: Caller | None, pages: Sequence[tuple[str, str, Scope]] = SECTIONS
) -> Sequence[tuple[str, str]]:
    """The pages that the caller's key may see."""
    if caller is None:
        return ()
    return [(place, title) for place, title, scope in pages if scope in caller.scopes]


@cache
def _environment() -> Environment:
    # Imported with the first page: an idle gateway does not need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": formats.percent,
        "points": formats.points,
        "interval": formats.interval,
        "duration": formats.duration,
        "ago": formats.ago,
        "stamp": formats.stamp,
        "count": formats.count,
        "short": formats.short,
        "words": formats.words,
        "event_words": formats.event_words,
    }
    environment.globals |= {"link": formats.link}
    return environment
