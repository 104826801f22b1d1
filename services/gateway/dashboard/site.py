"""The dashboard as a part of the gateway's HTTP application."""

from __future__ import annotations

from fastapi import FastAPI

from services.gateway.dashboard import assets
from services.gateway.dashboard.browser import BrowserRequests
from services.gateway.dashboard.views import (
    agents,
    changes,
    data,
    datasets,
    experiments,
    feedback,
    handbook,
    jobs,
    operations,
    overview,
    policies,
    reviews,
    session,
    training,
)
from services.gateway.routes.dependencies import GatewayApi

VIEWS = (
    session,
    overview,
    jobs,
    experiments,
    agents,
    feedback,
    policies,
    training,
    reviews,
    data,
    datasets,
    operations,
    changes,
    handbook,
)


def add_dashboard(app: FastAPI, api: GatewayApi) -> None:
    """Serve the pages at `/`, beside the API at `/v1`."""
    app.include_router(assets.build_router())
    for view in VIEWS:
        app.include_router(view.build_router(api))
    app.add_middleware(BrowserRequests)
