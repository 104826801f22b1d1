"""`python -m tests.benchmarks.registry.serve_process STORE DIGEST CORE PRECISION`.

A server on one core, of the classifier in the store, at a free port, which it prints.
"""

import asyncio
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import uvicorn
from pydantic import TypeAdapter

from archon_contracts.event_ids import FeedbackEvent
from archon_contracts.events import AgentConfiguration
from archon_contracts.identifiers import EventId, new_id
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from archon_inference.devices import Precision
from deploy.local.processes.tcp_ports import pick_free
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.http import AnswerServer
from deploy.serving.interaction_log import InteractionLog


class CountingSender:
    """Encodes events as a client does, and sends them nowhere."""

    async def send(self, event: FeedbackEvent) -> EventId:
        return (await self.send_many([event]))[0]

    async def send_many(self, events: Iterable[FeedbackEvent]) -> list[EventId]:
        return [EventId(new_id()) for event in events if event.to_bytes()]


async def main(store: str, digest: str, core: int, precision: Precision) -> None:
    """Serve until killed."""
    os.sched_setaffinity(0, {core})
    model, sender = HotSwapModel(precision=precision), CountingSender()
    uri = f"{store}/{digest[:2]}/{digest}"
    configuration = AgentConfiguration(
        agent_id="bench",
        kind=AgentKind.CLASSIFIER,
        model=ModelRef(version="1.0.0", artifact=ArtifactRef(uri=uri, digest=digest)),
        revision=1,
        reason="bench",
        effective_at=datetime.now(UTC),
    )
    await model.adopt(configuration)
    log, port = InteractionLog(sender), pick_free()
    app = AnswerServer("default", "bench", model, log, sender).build()
    sending = asyncio.create_task(log.run())
    print(port, flush=True)
    # Longer than a round: the client keeps connections that it does not use at half load.
    config = uvicorn.Config(
        app, port=port, log_level="warning", access_log=False, timeout_keep_alive=120
    )
    await uvicorn.Server(config).serve()
    sending.cancel()


if __name__ == "__main__":
    import uvloop

    store, digest, core, precision = sys.argv[1:]
    uvloop.run(main(store, digest, int(core), TypeAdapter(Precision).validate_python(precision)))
