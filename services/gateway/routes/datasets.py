"""Uploaded datasets, and those that data preparation produced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter, ValidationError

from archon_contracts.base import Name
from services.gateway.auth.agent_binding import BoundKeys
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.datasets import Item, items_file, read_lines
from services.gateway.domain import DatasetView, PreparedDatasetView
from services.gateway.errors import FieldError, Invalid
from services.gateway.http.body_gate import count_elements, require_few_elements
from services.gateway.http.openapi import inline_definitions
from services.gateway.http.pages import PAGE, Page, PageRequest
from services.gateway.http.validation import (
    reject_too_many_fields,
    reject_unstorable,
    to_request_error,
)
from services.gateway.requests import DatasetRequest
from services.gateway.routes.dependencies import GatewayApi

DatasetPurpose = Literal["training", "evaluation"]
PATH = "/datasets"
JSON_LINES = "application/x-ndjson"
_dataset_request: TypeAdapter[DatasetRequest] = TypeAdapter(DatasetRequest)


class Upload(NamedTuple):
    """The parts of an upload, however it was sent."""

    name: str
    purpose: DatasetPurpose
    items: list[Item]


class DatasetPage(Page[DatasetView]):
    """A part of both lists of datasets; the cursor leads on in both."""

    prepared: list[PreparedDatasetView]


UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": inline_definitions(DatasetRequest.model_json_schema())},
            JSON_LINES: {"schema": {"type": "string", "description": "One item a line."}},
        },
    }
}


def build_router(api: GatewayApi) -> APIRouter:
    """Routes of datasets."""
    router = APIRouter(tags=["datasets"])
    reader, writer = (
        api.require_caller(Scope.READ, bound=BoundKeys.APPLIED),
        api.require_caller(Scope.WRITE, bound=BoundKeys.APPLIED),
    )

    @router.post(PATH, status_code=201, openapi_extra=UPLOAD)
    async def upload_dataset(
        request: Request,
        name: Annotated[Name | None, Query(description="With JSON lines.")] = None,
        purpose: Annotated[DatasetPurpose | None, Query(description="With JSON lines.")] = None,
        caller: Caller = writer,
    ) -> DatasetView:
        """Store a dataset; a name never gets other content later (409)."""
        body = await request.body()
        is_lines = request.headers.get("content-type", "").startswith(JSON_LINES)
        read = partial(_read_lines, body, name, purpose) if is_lines else partial(_read_json, body)
        # In a thread: checking tens of thousands of items takes seconds.
        upload, files = await asyncio.to_thread(_checked, read)
        artifact = await api.artifacts.publish_files(files)
        async with api.transactions.begin_write(caller.tenant_id) as tx:
            return await api.datasets.register(
                tx,
                caller.tenant_id,
                name=upload.name,
                purpose=upload.purpose,
                items=len(upload.items),
                artifact=artifact,
            )

    @router.get("/datasets")
    async def list_datasets(page: PageRequest = PAGE, caller: Caller = reader) -> DatasetPage:
        """Uploaded datasets, and those prepared for jobs."""
        store = api.queries.store
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            items = await store.datasets(tx, caller.tenant_id, limit=page.rows, offset=page.offset)
            prepared = await store.prepared_datasets(
                tx, caller.tenant_id, only=caller.agents, limit=page.rows, offset=page.offset
            )
        return DatasetPage(
            items=items[: page.limit],
            prepared=prepared[: page.limit],
            next_cursor=page.next_cursor(items, prepared),
        )

    @router.get("/datasets/{name}")
    async def show_dataset(name: Name, caller: Caller = reader) -> DatasetView:
        """An uploaded dataset."""
        async with api.transactions.begin_read(caller.tenant_id) as tx:
            return await api.queries.dataset(tx, caller, name)

    return router


def _checked(read: Callable[[], Upload]) -> tuple[Upload, dict[str, bytes]]:
    upload = read()
    return upload, items_file(upload.items)


def _read_lines(body: bytes, name: str | None, purpose: DatasetPurpose | None) -> Upload:
    return Upload(*_named(name, purpose), read_lines(body))


def _read_json(body: bytes) -> Upload:
    require_few_elements(count_elements(body))
    reject_unstorable(body)
    reject_too_many_fields(body)
    try:
        upload = _dataset_request.validate_json(body)
    except ValidationError as error:
        raise to_request_error(error) from error
    return Upload(upload.name, upload.purpose, upload.items)


def _named(name: str | None, purpose: DatasetPurpose | None) -> tuple[str, DatasetPurpose]:
    missing = [field for field, value in (("name", name), ("purpose", purpose)) if not value]
    if missing or name is None or purpose is None:
        message = "JSON lines need ?name= and ?purpose="
        raise Invalid([FieldError(f"query.{field}", "missing", message) for field in missing])
    return name, purpose
