"""An agent that gets better while it serves.

It answers each request with the version that is assigned to it: the deployed one, or while an
experiment runs that of its user's arm. It sends its users' corrections as feedback on the version
that answered, and swaps when versions come or go. It knows nothing of how training is done: it
reads one topic, writes to another, and exports its spans to the gateway's /v1/traces. The parts
that serve are those of `archon serve`.

Run as `python -m deploy.demo.agent` with the variables of `AgentSettings`.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TextIO

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from archon_contracts import telemetry
from archon_contracts.client import KafkaFeedbackClient, KafkaSecurity, ReceivedEvent
from archon_contracts.client.errors import ClientError
from archon_contracts.events import AgentConfiguration
from archon_inference import InferenceError
from deploy.demo.client_log import AnswerRecord, ProductionRequest, append_line
from deploy.serving.answering import AgentAnswers, AssignedAnswer
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.interaction_log import InteractionLog
from deploy.serving.ports import FeedbackSender
from deploy.serving.server import ServeOptions, follow_deployments

AT_ONCE = 4
FOLLOW_SECONDS = 0.05
tracer = trace.get_tracer("agent")


class AgentSettings(BaseSettings):
    """Where the agent reads and writes, from `AGENT_...` variables."""

    model_config = SettingsConfigDict(env_prefix="AGENT_", frozen=True, hide_input_in_errors=True)

    id: str = Field(description="Name under which the agent was registered.")
    tenant_id: str = Field(description="Its tenant: another may have an agent of the same name.")
    kafka_bootstrap_servers: str = Field(description="host:port, separated by commas.")
    kafka_namespace: str = Field(default="", description="The system's ARCHON_NAMESPACE.")
    kafka_idle_wait_seconds: float = Field(default=0.0, ge=0, description="0 for Apache Kafka.")
    kafka_tls: bool = Field(default=False, description="Whether Kafka is spoken to over TLS.")
    kafka_ca_file: str | None = Field(default=None, description="CA bundle; else the system's.")
    kafka_certificate_file: str | None = Field(default=None, description="For mutual TLS, PEM.")
    kafka_key_file: str | None = Field(default=None, description="Its private key, PEM.")
    kafka_key_password: SecretStr | None = Field(default=None, description="Of an encrypted key.")
    kafka_sasl_mechanism: str | None = Field(
        default=None, description="PLAIN, SCRAM-SHA-256 or -512, OAUTHBEARER; absent: no SASL."
    )
    kafka_username: str | None = Field(default=None, description="SASL user.")
    kafka_password: SecretStr | None = Field(default=None, description="SASL password.")
    kafka_oauth_url: str | None = Field(default=None, description="Of OAUTHBEARER, https://...")
    kafka_oauth_scope: str = Field(default="", description="Scopes of its token.")
    gateway_url: str = Field(description="Where spans are exported to.")
    api_key: SecretStr = Field(description="The gateway's key for this agent's tenant.")
    trusted_keys: str = Field(
        default="", description="Public keys that sign models, comma-separated; empty: any model."
    )
    requests: Path = Field(description="JSON lines of requests; more may be appended.")
    client_log: Path = Field(description="Where every answer is noted.")

    def serve_options(self) -> ServeOptions:
        """Whom to serve, and with which broker."""
        return ServeOptions(
            agent_id=self.id,
            tenant_id=self.tenant_id,
            kafka_bootstrap_servers=self.kafka_bootstrap_servers,
            kafka_namespace=self.kafka_namespace,
            kafka_connection=self.kafka_connection(),
            kafka_idle_wait_seconds=self.kafka_idle_wait_seconds,
        )

    def kafka_connection(self) -> dict[str, Any]:
        """Options of the Kafka clients: TLS and SASL."""
        return KafkaSecurity(
            tls=self.kafka_tls,
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
            key_password=_reveal(self.kafka_key_password),
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=_reveal(self.kafka_password),
            token_url=self.kafka_oauth_url,
            scope=self.kafka_oauth_scope,
        ).connection()


def _reveal(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


class DemoAgent:
    """Serves a few requests at once, while new versions come in beside."""

    def __init__(self, settings: AgentSettings, feedback: FeedbackSender) -> None:
        self._settings = settings
        self._feedback = feedback
        self._model = HotSwapModel([key for key in settings.trusted_keys.split(",") if key])
        self._interactions = InteractionLog(feedback)
        self._answers = AgentAnswers(
            settings.tenant_id, settings.id, self._model.batcher, self._interactions
        )

    async def run(self) -> None:
        """Serve until cancelled; the log of answers is sent before it ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(follow_deployments(self._settings.serve_options(), self._swap))
                tasks.create_task(self._interactions.run())
                tasks.create_task(self._serve())
        finally:
            while self._interactions.unsent and await self._interactions.flush():
                pass
            self._model.close()

    async def _swap(self, received: ReceivedEvent[AgentConfiguration]) -> None:
        # The span continues the trace of the job that made this version.
        carrier = {"traceparent": received.envelope.traceparent}
        context = TraceContextTextMapPropagator().extract(carrier)
        model = received.event.model
        attributes = {
            telemetry.AGENT_ID: received.event.agent_id,
            telemetry.MODEL_VERSION: model.version,
            telemetry.MODEL_DIGEST: model.artifact.digest,
        }
        with tracer.start_as_current_span(
            telemetry.SPAN_HOT_SWAP, context=context, attributes=attributes
        ) as span:
            try:
                await self._model.adopt(received.event)
            except (InferenceError, OSError) as error:
                # The version that serves now goes on serving.
                span.record_exception(error)
                span.set_status(trace.StatusCode.ERROR, str(error))
                print(f"agent: version {model.version} was not taken: {error}", file=sys.stderr)

    async def _serve(self) -> None:
        free = asyncio.Semaphore(AT_ONCE)
        with self._settings.client_log.open("a") as client_log:
            async with (
                asyncio.TaskGroup() as handling,
                aclosing(follow(self._settings.requests)) as requests,
            ):
                async for request in requests:
                    # Before the task is made: requests that must wait do so in the file
                    # and not in memory.
                    await free.acquire()
                    task = handling.create_task(self._handle(request, client_log))
                    task.add_done_callback(lambda _: free.release())

    async def _handle(self, request: ProductionRequest, client_log: TextIO) -> None:
        attributes = {telemetry.AGENT_ID: self._settings.id}
        with tracer.start_as_current_span("answer request", attributes=attributes) as span:
            found = await self._answers.answer(
                await self._model.models(),
                request.input,
                interaction_id=request.request_id,
                unit_id=request.unit_id,
            )
            span.set_attribute(telemetry.MODEL_VERSION, found.model.version)
            logged = asyncio.ensure_future(self._send_and_log(request, found, client_log))
            try:
                await asyncio.shield(logged)
            except asyncio.CancelledError:
                # The broker may have the feedback already, and what is sent has to be counted.
                await logged
                raise

    async def _send_and_log(
        self, request: ProductionRequest, found: AssignedAnswer, client_log: TextIO
    ) -> None:
        event_id = await self._send_feedback(request)
        entry = AnswerRecord(
            request_id=request.request_id,
            input=request.input,
            answer=found.prediction.output,
            version=found.model.version,
            digest=found.model.digest,
            unit_id=request.unit_id,
            experiment_id=found.experiment_id,
            feedback_event_id=event_id,
        )
        append_line(client_log, entry)

    async def _send_feedback(self, request: ProductionRequest) -> str | None:
        """The id of the event, once the broker has it; None where the user says nothing."""
        if request.correction is None:
            return None
        stated = {"interaction_id": request.request_id, "expected": request.correction}
        return str(await self._feedback.send(self._answers.build_feedback(stated)))


async def follow(path: Path) -> AsyncGenerator[ProductionRequest, None]:
    """Requests as they are appended to a file; it is read on for ever."""
    with path.open() as file:
        unfinished = ""
        while True:
            # A line may be half written at the moment when it is read.
            unfinished += file.readline()
            if unfinished.endswith("\n"):
                yield ProductionRequest.model_validate_json(unfinished)
                unfinished = ""
            else:
                await asyncio.sleep(FOLLOW_SECONDS)


def export_spans(settings: AgentSettings) -> TracerProvider:
    """Send this process's spans where the rest of their traces is."""
    exporter = OTLPSpanExporter(
        endpoint=f"{settings.gateway_url}/v1/traces",
        headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}"},
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "agent"}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    return provider


async def main(settings: AgentSettings) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    provider = export_spans(settings)
    source = f"agent/{settings.id}"
    try:
        async with KafkaFeedbackClient(
            settings.kafka_bootstrap_servers,
            source=source,
            connection=settings.kafka_connection(),
            namespace=settings.kafka_namespace,
        ) as client:
            serving = asyncio.ensure_future(DemoAgent(settings, client).run())
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
            with contextlib.suppress(asyncio.CancelledError):
                await serving
    finally:
        provider.shutdown()


if __name__ == "__main__":
    try:
        asyncio.run(main(AgentSettings()))
    except (ClientError, ExceptionGroup) as error:
        sys.exit(f"agent: {error}")
