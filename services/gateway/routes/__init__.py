"""The HTTP API, a module per resource."""

from __future__ import annotations

from fastapi import FastAPI

from services.gateway.auth.sessions import SIGN_IN_PATH
from services.gateway.http import problems
from services.gateway.http.body_gate import BodyGate
from services.gateway.http.body_limit import BodyLimit
from services.gateway.http.intake_requests import IntakeRequests
from services.gateway.http.security_headers import SecurityHeaders
from services.gateway.http.tracing import is_untraced
from services.gateway.routes import (
    agents,
    audit,
    datasets,
    dead_letters,
    deployments,
    events,
    feedback,
    functions,
    jobs,
    keys,
    models,
    reports,
    status,
    telemetry,
    webhooks,
)
from services.gateway.routes.dataset_versions import router as dataset_versions
from services.gateway.routes.dependencies import GatewayApi
from services.gateway.routes.review_queue import router as review_queue

RESOURCES = (
    feedback,
    agents,
    datasets,
    jobs,
    models,
    deployments,
    reports,
    functions,
    events,
    dead_letters,
    audit,
    keys,
    status,
    telemetry,
    webhooks,
    review_queue,
    dataset_versions,
)


def build_http(api: GatewayApi) -> FastAPI:
    """The ASGI application."""
    app = FastAPI(
        title="Archon Training",
        description="Training of AI agents from feedback. Errors are RFC 9457 problem documents.",
        version="1",
        # Their pages load scripts from another site; `/openapi.json` is for any viewer.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"operation_spans": False, "logs": False, "exclude": is_untraced},
        strict_content_type=False,  # a body without a content type is taken for JSON
    )
    problems.install_handlers(app)
    for resource in RESOURCES:
        app.include_router(resource.build_router(api), prefix="/v1", responses=problems.RESPONSES)
    handlers = {f"/v1{path}": each for path, each in feedback.build_handlers(api).items()}
    app.add_middleware(IntakeRequests, handlers=handlers)
    app.add_middleware(
        BodyGate,
        admission=api.admission,
        backpressure=api.backpressure,
        uncounted_paths=("/v1" + telemetry.PATH, "/v1" + datasets.PATH),
        open_paths=(SIGN_IN_PATH,),
    )
    app.add_middleware(
        BodyLimit,
        max_bytes=api.settings.gateway_body_limit_bytes,
        max_seconds=api.settings.gateway_body_timeout_seconds,
        compressed_paths=("/v1" + telemetry.PATH,),
    )
    # Outermost, so that what the others refuse has them too.
    app.add_middleware(SecurityHeaders)
    return app
