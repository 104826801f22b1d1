"""The whole system on small input, started once for all tests that ask for it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.gateway_client import AsyncGatewayClient
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from deploy.local.settings import LocalSettings
from tests.support.data.tiny_world import first_items, held_out_items, tiny_model
from tests.support.infrastructure.brokers import local_broker_settings
from tests.support.infrastructure.system import System


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """All services on their real parts, with the held-out and the first items uploaded.

    Use agents of your own. `tests.plugins.distribution` ends it after the last test that asks.
    """
    data_dir = tmp_path_factory.mktemp("system")
    base_model = tiny_model(data_dir / "tiny-encoder")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ARCHON_LEASE_SECONDS", "3")
        environment.setenv("ARCHON_TRAINER_WORK_DIR", str(data_dir / "trainer"))
        environment.setenv("OMP_NUM_THREADS", "1")
        settings = LocalSettings(
            data_dir=data_dir, gateway_port=pick_free(), **local_broker_settings()
        )
        async with (
            Runtime(settings) as runtime,
            AsyncGatewayClient(runtime.endpoints.gateway_url, runtime.api_key) as gateway,
        ):
            held_out = {"name": "held-out", "purpose": "evaluation", "items": held_out_items()}
            first = {"name": "first", "purpose": "training", "items": first_items()}
            for dataset in (held_out, first):
                await gateway.post("/v1/datasets", dataset)
            yield System(runtime, gateway, data_dir, base_model)
