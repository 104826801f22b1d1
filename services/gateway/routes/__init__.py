"""The HTTP API, a module per resource."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from services.gateway.http import problems
from services.gateway.http.body_limit import BodyLimit
from services.gateway.http.tracing import is_untraced
from services.gateway.routes import (
    agents,
    audit,
    datasets,
    dead_letters,
    events,
    feedback,
    functions,
    jobs,
    keys,
    models,
    status,
    telemetry,
)
from services.gateway.routes.dependencies import Api

RESOURCES = (
    feedback,
    agents,
    datasets,
    jobs,
    models,
    functions,
    events,
    dead_letters,
    audit,
    keys,
    status,
    telemetry,
)


def build_http(api: Api) -> Any:
    """The ASGI application."""
    app = FastAPI(
        title="Archon Training",
        description="Feedback in, better models out. Errors are RFC 9457 problem documents.",
        version="1",
        redirect_slashes=False,
        telemetry={"operation_spans": False, "logs": False, "exclude": is_untraced},
        strict_content_type=False,  # a body without a content type is taken for JSON
    )
    problems.install(app)
    for resource in RESOURCES:
        app.include_router(
            resource.build_router(api), prefix="/v1", responses={429: problems.TRY_LATER}
        )
    app.add_middleware(
        BodyLimit,
        most_bytes=api.settings.gateway_body_limit_bytes,
        most_seconds=api.settings.gateway_body_timeout_seconds,
        may_be_packed=("/v1" + telemetry.PATH,),
    )
    return app
