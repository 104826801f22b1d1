"""The gateway's HTTP API, as the `archon` command and the demo use it."""

from collections.abc import Callable
from typing import Any, Self

import httpx

from archon_contracts.client.errors import ApiKeyError, GatewayUrlError
from archon_contracts.client.http import require_gateway_url, require_sendable
from archon_contracts.rules.redaction import without_credentials

TIMEOUT_SECONDS = 30.0
PAGE_ITEMS = 1000
"""Items of a list in one answer: the most that the gateway gives at once."""


class ApiError(Exception):
    """The gateway refused a request, or could not be reached; the message is one sentence."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later: nobody answered, was able to, or had time."""
        busy = self.status == httpx.codes.TOO_MANY_REQUESTS
        return busy or self.status == 0 or self.status >= httpx.codes.INTERNAL_SERVER_ERROR


def read_response(response: httpx.Response) -> Any:
    """The JSON of a successful response.

    Raises:
        ApiError: the gateway answered with a problem document.
    """
    if response.is_success:
        return response.json() if response.content else {}
    raise ApiError(_problem(response), response.status_code)


def read_text(response: httpx.Response) -> str:
    """The text of a successful response.

    Raises:
        ApiError: as of `read_response`.
    """
    if not response.is_success:
        read_response(response)
    return response.text


def _problem(response: httpx.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return f"The gateway answered {response.status_code} without saying why."
    detail = problem.get("detail") or problem.get("title") or f"status {response.status_code}"
    fields = [
        f"{error.get('field')}: {error.get('message')}" for error in problem.get("errors", [])
    ]
    further = "; ".join(field for field in fields if field not in detail)
    return f"{detail} ({further})" if further else str(detail)


def _unreachable(url: str, error: httpx.TransportError) -> ApiError:
    why = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "is not there"
    return ApiError(
        f"The gateway at {without_credentials(url)} {why}: start the system with `archon up`, "
        "or name another one with --url or ARCHON_URL."
    )


class GatewayClient:
    """Blocking calls to the gateway; close it, or use it as a context."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = _gateway_url(url)
        self._http = httpx.Client(
            base_url=self.url, headers=_authorization(api_key), timeout=TIMEOUT_SECONDS
        )

    def get(self, path: str, **query: Any) -> Any:
        """GET `path`; query values that are None are left out."""
        return self._send("GET", path, params=_drop_none(query))

    def get_text(self, path: str) -> str:
        """GET `path`, which gives no JSON but a page."""
        page: str = self._send("GET", path, read=read_text)
        return page

    def items(self, path: str, *, most: int | None = None, **query: Any) -> list[Any]:
        """The first `most` items of a list, or all of them, page by page."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            left = PAGE_ITEMS if most is None else min(PAGE_ITEMS, most - len(found))
            page = self.get(path, **query, limit=left, cursor=cursor)
            found += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None or len(found) == most:
                return found

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """POST `body` as JSON to `path`; query values that are None are left out."""
        return self._send("POST", path, json=body, params=_drop_none(query))

    def _send(
        self,
        method: str,
        path: str,
        *,
        read: Callable[[httpx.Response], Any] = read_response,
        **request: Any,
    ) -> Any:
        try:
            return read(self._http.request(method, path, **request))
        except httpx.TransportError as error:
            raise _unreachable(self.url, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


class AsyncGatewayClient:
    """The same calls for code that runs in an event loop."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = _gateway_url(url)
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=_authorization(api_key), timeout=TIMEOUT_SECONDS
        )

    async def get(self, path: str, **query: Any) -> Any:
        """GET `path`; query values that are None are left out."""
        return await self._send("GET", path, params=_drop_none(query))

    async def get_text(self, path: str) -> str:
        """GET `path`, which gives no JSON but a page."""
        page: str = await self._send("GET", path, read=read_text)
        return page

    async def post(self, path: str, body: Any = None) -> Any:
        """POST `body` as JSON to `path`."""
        return await self._send("POST", path, json=body)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        read: Callable[[httpx.Response], Any] = read_response,
        **request: Any,
    ) -> Any:
        try:
            return read(await self._http.request(method, path, **request))
        except httpx.TransportError as error:
            raise _unreachable(self.url, error) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()


def _gateway_url(url: str) -> str:
    try:
        return require_gateway_url(url).rstrip("/")
    except GatewayUrlError as error:
        raise ApiError(f"{error}; name it with --url or ARCHON_URL") from None


def _authorization(api_key: str) -> dict[str, str]:
    try:
        return {"Authorization": f"Bearer {require_sendable(api_key)}"} if api_key else {}
    except ApiKeyError as error:
        # Not left to the library, whose error quotes the header.
        raise ApiError(str(error)) from None


def _drop_none(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}
