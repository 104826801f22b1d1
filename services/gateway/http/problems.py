"""Errors as problem documents (RFC 9457) with fields, rules and the trace id."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from opentelemetry import metrics
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from archon_contracts import telemetry
from services.gateway.errors import (
    Conflict,
    FieldError,
    Invalid,
    MalformedBody,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TryLater,
)
from services.gateway.http.tracing import find_trace_id
from services.gateway.http.validation import MAX_ERRORS_REPORTED, format_field_path
from shared.errors import (
    ArchonError,
    ArtifactCorrupt,
    ArtifactMissing,
    ConstraintViolated,
    RetryableError,
    ValueRefused,
)
from shared.logging import get_logger

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
TOO_MANY_REQUESTS: Final[dict[str, Any]] = {
    "description": "Refused for now: `limit` names what is exhausted.",
    "headers": {
        "Retry-After": {
            "description": "Seconds to wait before the same is sent again.",
            "schema": {"type": "integer", "minimum": 1},
        }
    },
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "limit"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "limit": {"type": "string"},
                    "trace_id": {"type": "string"},
                },
            }
        }
    },
}
"""The answer 429 in the OpenAPI document."""
REFUSED: Final[dict[str, Any]] = {
    "description": "Refused, as RFC 9457 says it: 400 not readable, 401 no key, 403 the key lacks "
    "a scope or is bound to other agents, 404 not there, 409 not as things are, 413 too large, "
    "422 a field breaks a rule (`errors` names it), 503 try again later.",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "errors"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "errors": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["field", "rule", "message"],
                            "properties": {
                                "field": {"type": "string"},
                                "rule": {"type": "string"},
                                "message": {"type": "string"},
                            },
                        },
                    },
                    "trace_id": {"type": "string"},
                },
            }
        }
    },
}
"""Every other refusal in the OpenAPI document."""
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {429: TOO_MANY_REQUESTS, "default": REFUSED}
STATUS: Final[dict[type[ArchonError], HTTPStatus]] = {
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    ConstraintViolated: HTTPStatus.CONFLICT,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    ValueRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    ArtifactMissing: HTTPStatus.NOT_FOUND,
    ArtifactCorrupt: HTTPStatus.CONFLICT,
}

log = get_logger(__name__)
shed_counter = metrics.get_meter(__name__).create_counter(
    telemetry.METRIC_REQUESTS_SHED, unit="{request}"
)


def build_problem(
    request: Request,
    status: int,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
    **members: str,
) -> Response:
    """The answer for a refusal; `members` are the extension members of its kind."""
    title = HTTPStatus(status).phrase
    document: dict[str, Any] = {
        "type": f"urn:archon:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "errors": [{"field": e.field, "rule": e.rule, "message": e.message} for e in errors],
        "trace_id": find_trace_id(request),
        **members,
    }
    return Response(orjson.dumps(document), status, headers, MEDIA_TYPE)


def install_handlers(app: FastAPI) -> None:
    """Answer every error of a request with a problem document."""

    @app.exception_handler(ArchonError)
    async def refused(request: Request, error: ArchonError) -> Response:
        return answer_refusal(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [_to_field_error(detail) for detail in error.errors()[:MAX_ERRORS_REPORTED]]
        if any(e.rule == "json_invalid" for e in errors):
            return build_problem(
                request, HTTPStatus.BAD_REQUEST, "the body is not valid JSON", errors=errors
            )
        return _build_invalid(request, errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return answer_refusal(request, error)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return answer_refusal(request, error)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return build_problem(request, status, "the gateway failed; see its log")


def answer_refusal(
    request: Request, error: ArchonError | HTTPException | ClientDisconnect
) -> Response:
    """The answer for an error that is no fault of the gateway."""
    if isinstance(error, ArchonError):
        return build_error_response(request, error)
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        return build_problem(request, error.status_code, str(error.detail), headers=headers)
    # The client is gone, so the answer is not read; this is no error of the gateway.
    log.info("client_disconnected", path=request.url.path)
    return build_problem(request, HTTPStatus.BAD_REQUEST, "the body is incomplete")


def build_error_response(request: Request, error: ArchonError) -> Response:
    """The answer for an ArchonError; retryable ones carry Retry-After."""
    if isinstance(error, Invalid):
        return _build_invalid(request, error.errors)
    # Before RetryableError, which it is too: this one knows when to come back, and it is counted.
    if isinstance(error, TryLater):
        shed_counter.add(1, {telemetry.LIMIT_NAME: error.limit})
        headers = {"Retry-After": str(error.retry_after_seconds)}
        status = HTTPStatus.TOO_MANY_REQUESTS
        return build_problem(request, status, str(error), headers=headers, limit=error.limit)
    if isinstance(error, RetryableError):
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return build_problem(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers)
    kinds = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    status = next(kinds, HTTPStatus.INTERNAL_SERVER_ERROR)
    challenge = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    errors = error.errors if isinstance(error, NotAllowed) else ()
    return build_problem(request, status, str(error), errors=errors, headers=challenge)


def _build_invalid(request: Request, errors: Sequence[FieldError]) -> Response:
    first = f"{errors[0].field}: {errors[0].message}" if errors else "a field breaks a rule"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return build_problem(request, HTTPStatus.UNPROCESSABLE_ENTITY, f"{first}{more}", errors=errors)


def _to_field_error(detail: Any) -> FieldError:
    location = detail["loc"]
    # The first part is the place (query, path, body); fields of a body are named without it.
    place = location[1:] if location[:1] == ("body",) else location
    return FieldError(format_field_path(place), detail["type"], detail["msg"])
