"""The server as a process: it follows deployments, answers HTTP requests and sends its log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from archon_contracts.client import KafkaFeedbackClient, ReceivedEvent, subscribe
from archon_contracts.events import AgentConfiguration
from archon_inference import InferenceError
from archon_inference.devices import Precision
from deploy.serving.answering import NO_EXPLORATION
from deploy.serving.exploration import ExplorationPolicy
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.http import AnswerServer
from deploy.serving.interaction_log import InteractionLog

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Whom to serve, and where."""

    agent_id: str
    tenant_id: str
    kafka_bootstrap_servers: str
    kafka_namespace: str = ""
    kafka_connection: Mapping[str, Any] = field(default_factory=dict)
    kafka_idle_wait_seconds: float = 0.0
    trusted_keys: tuple[str, ...] = ()
    precision: Precision = "float32"
    host: str = "127.0.0.1"
    port: int = 8090
    exploration: ExplorationPolicy = NO_EXPLORATION


async def serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT; in-flight answers are given, and the log is sent.

    Raises:
        ClientError: Kafka cannot be reached.
    """
    model = HotSwapModel(options.trusted_keys, precision=options.precision)
    try:
        async with KafkaFeedbackClient(
            options.kafka_bootstrap_servers,
            source=f"agent/{options.agent_id}",
            connection=options.kafka_connection,
            namespace=options.kafka_namespace,
        ) as sender:
            interactions = InteractionLog(sender)
            app = AnswerServer(
                options.tenant_id,
                options.agent_id,
                model,
                interactions,
                sender,
                options.exploration,
            ).build()
            beside = [
                asyncio.create_task(follow_deployments(options, adopt_into(model))),
                asyncio.create_task(interactions.run()),
            ]
            await _serve_http(app, options, beside)
            while interactions.unsent and await interactions.flush():
                pass
    finally:
        model.close()


async def _serve_http(app: Any, options: ServeOptions, beside: list[asyncio.Task[None]]) -> None:
    """Answer requests until a signal; a task beside that fails ends it."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    )

    def stop(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            server.should_exit = True

    for task in beside:
        task.add_done_callback(stop)
    try:
        await server.serve()
    finally:
        failed = [task for task in beside if task.done()]
        for task in beside:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*beside)
        for task in failed:
            task.result()


async def follow_deployments(
    options: ServeOptions, adopt: Callable[[ReceivedEvent[AgentConfiguration]], Awaitable[None]]
) -> None:
    """Hand every configuration of the agent to `adopt`, the present one first."""
    configurations = subscribe(
        options.kafka_bootstrap_servers,
        AgentConfiguration,
        tenant_id=options.tenant_id,
        idle_wait_seconds=options.kafka_idle_wait_seconds,
        connection=options.kafka_connection,
        namespace=options.kafka_namespace,
    )
    async with aclosing(configurations):
        async for received in configurations:
            if received.event.agent_id == options.agent_id:
                await adopt(received)


def adopt_into(
    model: HotSwapModel,
) -> Callable[[ReceivedEvent[AgentConfiguration]], Awaitable[None]]:
    """Serves what a configuration names, or goes on with what serves and says why."""

    async def adopt(received: ReceivedEvent[AgentConfiguration]) -> None:
        configuration = received.event
        version = configuration.model.version
        try:
            if await model.adopt(configuration):
                log.warning("serving %s, revision %d", version, configuration.revision)
        except (InferenceError, OSError) as error:
            log.warning("version %s was not taken: %s", version, error)

    return adopt
