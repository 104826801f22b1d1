"""Uploaded datasets, and those that data preparation made."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter, ValidationError

from archon_contracts.base import Identifier
from services.gateway.auth.credentials import Caller, Scope
from services.gateway.datasets import Item, items_file, read_lines
from services.gateway.domain import DatasetView, PreparedDatasetView
from services.gateway.errors import FieldError, Invalid
from services.gateway.feedback.body_parser import invalid, refuse_overfull, refuse_unstorable
from services.gateway.http.openapi import self_contained
from services.gateway.requests import DatasetWish
from services.gateway.routes.dependencies import Api, Most

Purpose = Literal["training", "evaluation"]
JSON_LINES = "application/x-ndjson"
_wish: TypeAdapter[DatasetWish] = TypeAdapter(DatasetWish)

UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": self_contained(DatasetWish.model_json_schema())},
            JSON_LINES: {"schema": {"type": "string", "description": "One item a line."}},
        },
    }
}


def build_router(api: Api) -> APIRouter:
    """Routes of datasets."""
    router = APIRouter(tags=["datasets"])
    reader, writer = api.caller(Scope.READ), api.caller(Scope.WRITE)

    @router.post("/datasets", status_code=201, openapi_extra=UPLOAD)
    async def upload_dataset(
        request: Request,
        name: Annotated[Identifier | None, Query(description="With JSON lines.")] = None,
        purpose: Annotated[Purpose | None, Query(description="With JSON lines.")] = None,
        caller: Caller = writer,
    ) -> DatasetView:
        """Store items for good; the same name and content again is the same dataset."""
        body = await request.body()
        if request.headers.get("content-type", "").startswith(JSON_LINES):
            name, purpose, items = *_named(name, purpose), read_lines(body)
        else:
            name, purpose, items = _read_json(body)
        artifact = await api.artifacts.publish_files(items_file(items))
        async with api.transactions.writing(caller.tenant_id) as tx:
            return await api.datasets.register(
                tx,
                caller.tenant_id,
                name=name,
                purpose=purpose,
                items=len(items),
                artifact=artifact,
            )

    @router.get("/datasets")
    async def list_datasets(
        limit: Most = 100, caller: Caller = reader
    ) -> dict[str, list[DatasetView] | list[PreparedDatasetView]]:
        """Uploaded ones, and those prepared for jobs."""
        store = api.reading.store
        async with api.transactions.reading(caller.tenant_id) as tx:
            return {
                "items": await store.datasets(tx, caller.tenant_id, most=limit),
                "prepared": await store.prepared_datasets(tx, caller.tenant_id, most=limit),
            }

    @router.get("/datasets/{name}")
    async def show_dataset(name: Identifier, caller: Caller = reader) -> DatasetView:
        """An uploaded dataset."""
        async with api.transactions.reading(caller.tenant_id) as tx:
            return await api.reading.dataset(tx, caller.tenant_id, name)

    return router


def _read_json(body: bytes) -> tuple[str, Purpose, list[Item]]:
    refuse_unstorable(body)
    refuse_overfull(body)
    try:
        wish = _wish.validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error
    return wish.name, wish.purpose, wish.items


def _named(name: str | None, purpose: Purpose | None) -> tuple[str, Purpose]:
    missing = [field for field, value in (("name", name), ("purpose", purpose)) if not value]
    if missing or name is None or purpose is None:
        message = "JSON lines need ?name= and ?purpose="
        raise Invalid([FieldError(f"query.{field}", "missing", message) for field in missing])
    return name, purpose
