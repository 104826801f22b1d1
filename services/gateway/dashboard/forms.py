"""Forms of pages: bounded, read as the request bodies of the API, and safe to send twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from services.gateway.errors import MalformedBody, TooLarge
from services.gateway.http.validation import to_request_error

B = TypeVar("B", bound=BaseModel)

MAX_FORM_BYTES: Final = 8_192
MAX_FIELDS: Final = 60
REQUEST_ID: Final = "request_id"
"""A hidden field, random for each page shown: the same form sent again has no further effect."""


async def read_form(request: Request) -> tuple[dict[str, str], bytes]:
    """The fields of a form, and its bytes.

    Raises:
        TooLarge: nothing that pages have fields for is so long.
        MalformedBody: it is not a form, or has too many fields.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise TooLarge(f"the form has more than {MAX_FORM_BYTES} bytes; shorten its texts")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise MalformedBody("the body is no form of this page; open it again") from error
    return dict(pairs), body


def read_body(model: type[B], fields: Mapping[str, object]) -> B:
    """The request body that a program would send; an empty field is an absent one.

    Raises:
        Invalid: a field breaks a rule, as in the API.
    """
    texts = {k: v.strip() if isinstance(v, str) else v for k, v in fields.items()}
    stated = {k: v for k, v in texts.items() if v != "" and k != REQUEST_ID}
    try:
        return model.model_validate(stated)
    except ValidationError as error:
        raise to_request_error(error) from error


def with_idempotency_key(request: Request, fields: dict[str, str], body: bytes) -> Request:
    """The request as a program would send it that makes repetitions safe."""
    key = fields.get(REQUEST_ID, "")
    headers = [*request.scope["headers"], (b"idempotency-key", key.encode("latin-1", "replace"))]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({**request.scope, "headers": headers}, receive)
