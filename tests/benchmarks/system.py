"""A whole system in a temporary directory, for benchmarks that need one."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from deploy.gateway_client import AsyncGatewayClient
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from tests.support.infrastructure.brokers import local_broker_settings

# The pools of children import torch and warm up after the services are ready.
WARM_UP_SECONDS = 25.0


@asynccontextmanager
async def fresh_system() -> AsyncIterator[tuple[Runtime, AsyncGatewayClient]]:
    """Everything running and empty; stopped and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as folder:
        settings = LocalSettings(
            data_dir=Path(folder), gateway_port=pick_free(), **local_broker_settings()
        )
        async with (
            Runtime(settings) as runtime,
            AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as gateway,
        ):
            yield runtime, gateway


def family(runtime: Runtime) -> list[psutil.Process]:
    """Every process of the system, children of services included."""
    found = []
    for status in runtime.status():
        if status.pid is not None:
            parent = psutil.Process(status.pid)
            found += [parent, *parent.children(recursive=True)]
    return found
