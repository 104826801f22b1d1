"""Requests to the gateway, repeated while that may help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from archon_contracts.client.errors import GatewayRefusedError, GatewayUnavailableError
from archon_contracts.client.http import (
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    RETRYABLE_STATUSES,
    read_problem,
    require_gateway_url,
    require_sendable,
    retry_after_seconds,
)
from archon_contracts.client.sdk.calls import ApiCall, page_sizes, read_call
from archon_contracts.client.sdk.server_events import EventStreamParser, ServerEvent
from archon_contracts.client.tracing import current_trace_headers
from archon_contracts.rules.redaction import without_credentials

T = TypeVar("T")

EVENTS_PATH = "/v1/events"
STREAM_TIMEOUT_SECONDS = 60.0
"""The gateway sends a comment every 15 s; silence for longer is a lost connection."""


class AsyncTransport:
    """One connection pool with the API key; calls are safe to repeat, and are."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        attempts: int,
        timeout_seconds: float,
        transport: httpx.AsyncBaseTransport | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As of `AsyncArchon`."""
        self.url = require_gateway_url(url).rstrip("/")
        self._api_key = require_sendable(api_key)
        self._attempts = attempts
        self._timeout = timeout_seconds
        self.sleep = sleep
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self._api_key}"},
            timeout=timeout_seconds,
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: ApiCall, answer: type[T]) -> T:
        """The answer of a call.

        Raises:
            GatewayUnavailableError: no answer in all attempts; the call is safe to repeat.
            GatewayRefusedError: the gateway says what is wrong with it, field by field.
        """
        response = await self._request(call)
        try:
            return TypeAdapter(answer).validate_json(response.content or b"{}")
        except ValidationError as error:
            where = f"{call.method} {call.path}"
            raise GatewayRefusedError(
                response.status_code, "Unexpected answer", f"{where}: {error}"
            ) from error

    async def items(
        self, path: str, answer: type[T], *, limit: int | None, **query: Any
    ) -> list[T]:
        """The first `limit` items of a list, or all of them, page by page."""
        found: list[T] = []
        cursor: str | None = None
        for size in page_sizes(limit):
            call = read_call(path, {**query, "limit": size, "cursor": cursor})
            page = await self.send(call, dict[str, Any])
            found += TypeAdapter(list[answer]).validate_python(page["items"])  # type: ignore[valid-type]
            cursor = page.get("next_cursor")
            if cursor is None:
                break
        return found

    async def text(self, path: str) -> str:
        """An answer that is a page and no JSON."""
        response = await self._request(read_call(path))
        return response.text

    async def events(
        self, query: dict[str, Any], last_event_id: str
    ) -> AsyncGenerator[ServerEvent]:
        """Events as they come; a lost connection is made again, after the last event.

        Raises:
            GatewayUnavailableError: it could not be made again in all attempts.
            GatewayRefusedError: the gateway says what is wrong with the request.
        """
        parser = EventStreamParser(last_event_id)
        failures = 0
        while failures < self._attempts:
            try:
                async for event in self._stream(query, parser):
                    failures = 0
                    yield event
            except httpx.TransportError:
                pass
            failures += 1
            await self.sleep(FIRST_WAIT_SECONDS * 2**failures)
        raise GatewayUnavailableError(f"the event stream was lost {failures} times in a row")

    async def _stream(
        self, query: dict[str, Any], parser: EventStreamParser
    ) -> AsyncIterator[ServerEvent]:
        parser.begin()
        headers = {"Last-Event-ID": parser.last_event_id} if parser.last_event_id else {}
        async with self._http.stream(
            "GET", EVENTS_PATH, params=query, headers=headers, timeout=STREAM_TIMEOUT_SECONDS
        ) as response:
            if not response.is_success:
                await response.aread()
                if response.status_code not in RETRYABLE_STATUSES:
                    raise read_problem(response)
                return
            async for line in response.aiter_lines():
                event = parser.add_line(line)
                if event is not None:
                    yield event

    async def _request(self, call: ApiCall) -> httpx.Response:
        headers = current_trace_headers()
        if call.idempotency_key:
            headers["Idempotency-Key"] = call.idempotency_key
        problem = ""
        for attempt in range(self._attempts):
            wait = min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS)
            try:
                response = await self._http.request(
                    call.method, call.path, params=call.query, json=call.body, headers=headers
                )
            except httpx.TransportError as error:
                # A library's text may quote the header that it could not send, and the URL.
                text = str(error).replace(self._api_key, "<API key>")
                problem = f"{type(error).__name__}: {without_credentials(text)}"
            else:
                if response.is_success:
                    return response
                refusal = read_problem(response)
                if response.status_code not in RETRYABLE_STATUSES:
                    raise refusal
                problem = str(refusal)
                wait = retry_after_seconds(response, default=wait)
            if attempt + 1 < self._attempts:
                await self.sleep(wait)
        where = without_credentials(self.url)
        raise GatewayUnavailableError(
            f"no answer of {where} in {self._attempts} attempts: {problem}"
        )
