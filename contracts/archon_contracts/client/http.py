"""Feedback over HTTP, for agents without a Kafka client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, ValidationError

from archon_contracts.client.errors import (
    ApiKeyError,
    FieldProblem,
    GatewayRefusedError,
    GatewayUnavailableError,
    GatewayUrlError,
    MissingExtraError,
)
from archon_contracts.client.event_size import encode_event
from archon_contracts.client.tracing import current_trace_headers
from archon_contracts.client.traffic_class import current_traffic_class
from archon_contracts.event_ids import with_traffic_class
from archon_contracts.events.feedback import FeedbackReceived
from archon_contracts.identifiers import EventId
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from archon_contracts.rules.redaction import without_credentials
from archon_contracts.traffic_classes import TrafficClass

try:
    import httpx
except ModuleNotFoundError as error:
    raise MissingExtraError("httpx", "http") from error

PATH: Final = "/v1/feedback"
RETRYABLE_STATUSES: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
"""What a later attempt may cure, of the gateway or of a proxy before it."""
FIRST_WAIT_SECONDS: Final = 0.25
LONGEST_WAIT_SECONDS: Final = 30.0
MAX_PORT: Final = 65_535


class _Accepted(BaseModel):
    accepted: int
    event_ids: list[UUID]


class HttpFeedbackClient:
    """Sends feedback to the gateway; use it as `async with HttpFeedbackClient(...) as client`.

    A send returns once the broker behind the gateway has the events. A busy or unreachable
    gateway is asked again, `attempts` times in all, after the time that it names in `Retry-After`
    (30 seconds at most) or a growing one of our own. That is safe: an event's id follows from the
    event itself, however the events are grouped and whether they come over HTTP or over Kafka.
    An agent that runs as a shadow or under evaluation gives its `traffic_class`: nothing that it
    sends then counts.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        attempts: int = 5,
        timeout_seconds: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        traffic_class: TrafficClass | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        """`max_event_bytes` is the gateway's limit, where that is not the default.

        Raises:
            ApiKeyError: the key cannot be sent in a header.
            GatewayUrlError: the URL is none that can be asked.
        """
        self._max_event_bytes = max_event_bytes
        self._attempts = attempts
        self._api_key = require_sendable(api_key)
        self._sleep = sleep
        self._traffic_class = traffic_class
        self._http = httpx.AsyncClient(
            base_url=require_gateway_url(base_url),
            headers={"Authorization": f"Bearer {self._api_key}"},
            timeout=timeout_seconds,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def send(self, event: FeedbackReceived, *, idempotency_key: str | None = None) -> EventId:
        """Send one event; returns its id.

        Without a key the same feedback, one per interaction and source, counts once however
        often it is sent. A key of your own makes it count beside those sent without that key.

        Raises:
            GatewayUnavailableError: not accepted in all attempts; sending again is safe.
            GatewayRefusedError: the gateway says what is wrong with it.
            EventTooLargeError: it is above `max_event_bytes`.
        """
        marked = with_traffic_class(event, self._traffic_class, current_traffic_class())
        body = encode_event(marked, self._max_event_bytes)
        (event_id,) = await self._post(body, idempotency_key, expected=1)
        return event_id

    async def send_many(
        self, events: Iterable[FeedbackReceived], *, idempotency_key: str | None = None
    ) -> list[EventId]:
        """Send several events in one request; all are accepted or none. Returns their ids.

        The ids are those that `send` would give each event; the key means the same there.

        Raises:
            GatewayUnavailableError: not accepted in all attempts; sending again is safe.
            GatewayRefusedError: the gateway says what is wrong with one of them.
            EventTooLargeError: one of them is above `max_event_bytes`; none was sent.
        """
        around = current_traffic_class()
        batch = [with_traffic_class(event, self._traffic_class, around) for event in events]
        if not batch:
            return []
        encoded = [encode_event(event, self._max_event_bytes) for event in batch]
        body = b'{"events":[' + b",".join(encoded) + b"]}"
        return await self._post(body, idempotency_key, expected=len(batch))

    async def _post(self, body: bytes, key: str | None, *, expected: int) -> list[EventId]:
        headers = {"Content-Type": "application/json", **current_trace_headers()}
        if key:
            headers["Idempotency-Key"] = key
        problem = ""
        for attempt in range(self._attempts):
            wait = min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            try:
                response = await self._http.post(PATH, content=body, headers=headers)
            except httpx.TransportError as error:
                # A library's text may quote the header that it could not send, and the URL.
                text = str(error).replace(self._api_key, "<API key>")
                problem = f"{type(error).__name__}: {without_credentials(text)}"
            else:
                if response.status_code not in RETRYABLE_STATUSES:
                    return _event_ids(response, expected)
                problem = str(read_problem(response))
                wait = retry_after_seconds(response, default=wait)
            if attempt + 1 < self._attempts:
                await self._sleep(wait)
        raise GatewayUnavailableError(f"not accepted in {self._attempts} attempts: {problem}")


def require_sendable(api_key: str) -> str:
    """The key as it can stand in a header.

    Raises:
        ApiKeyError: it is empty or has a character that no key has; the position is named.
    """
    if not api_key:
        raise ApiKeyError("the API key is empty; pass the text that creating it gave")
    for position, character in enumerate(api_key):
        if not "!" <= character <= "~":
            where = "at its end" if not api_key[position:].strip() else f"at position {position}"
            raise ApiKeyError(
                f"the API key has a character {where} that no key has (U+{ord(character):04X}); "
                "a key read from a file may end with a newline: strip() it"
            )
    return api_key


def require_gateway_url(url: str) -> str:
    """The URL, which names a host by http or https.

    Raises:
        GatewayUrlError: it does not; asking would fail each time, as if nobody were there.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        # Not the library's reason, which quotes what may be part of a password.
        raise GatewayUrlError("the gateway's URL is none; write http://HOST:PORT") from None
    named = f"the gateway's URL (of host {parsed.host!r})"
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise GatewayUrlError(f"{named} is no http one; write http://HOST:PORT or https://HOST")
    if parsed.userinfo:
        # The library would send them in place of the key.
        raise GatewayUrlError(f"{named} has a user or password; leave it out, the key is enough")
    if parsed.port is not None and not 0 < parsed.port <= MAX_PORT:
        raise GatewayUrlError(f"{named} has a port that none can have; write http://HOST:PORT")
    return url


def _event_ids(response: httpx.Response, expected: int) -> list[EventId]:
    if response.status_code != HTTPStatus.ACCEPTED:
        raise read_problem(response)
    try:
        answer = _Accepted.model_validate_json(response.content)
    except ValidationError as error:
        raise GatewayRefusedError(202, "Unexpected answer", "no list of event ids") from error
    # Fewer ids than events would be a loss that the caller takes for a success.
    if len(answer.event_ids) != expected:
        detail = f"{len(answer.event_ids)} ids for {expected} events"
        raise GatewayRefusedError(202, "Unexpected answer", detail)
    return [EventId(event_id) for event_id in answer.event_ids]


def read_problem(response: httpx.Response) -> GatewayRefusedError:
    """The problem document (RFC 9457) as an error; the status line where there is none."""
    document: Any = None
    if "json" in response.headers.get("Content-Type", ""):
        try:
            document = response.json()
        except ValueError:
            document = None  # says it is JSON and is not: the status line has to do
    if not isinstance(document, dict):
        document = {}
    errors = document.get("errors")
    return GatewayRefusedError(
        response.status_code,
        str(document.get("title") or response.reason_phrase),
        str(document.get("detail") or ""),
        errors=tuple(_field_problems(errors if isinstance(errors, list) else [])),
        limit=str(document.get("limit") or ""),
        trace_id=str(document.get("trace_id") or ""),
    )


def _field_problems(errors: list[Any]) -> Iterator[FieldProblem]:
    for each in errors:
        if isinstance(each, dict):
            named = (str(each.get(name) or "") for name in ("field", "rule", "message"))
            yield FieldProblem(*named)


def retry_after_seconds(response: httpx.Response, *, default: float) -> float:
    """Retry-After as seconds from now (it may be a number or a date), within our limit."""
    text = response.headers.get("Retry-After", "").strip()
    # Whole seconds by the standard; `float` would accept `nan`, which is no time to sleep.
    if text.isdecimal():
        return min(float(text), LONGEST_WAIT_SECONDS)
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return default
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
