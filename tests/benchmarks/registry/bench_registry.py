"""Registering, deploying, reading and listing versions, beside MLflow on the same PostgreSQL.

Ours are whole messages: inbox, lock, rows, audit entry, events in the outbox, commit; reads are
those of the gateway's routes. MLflow's are calls of its client on its SQL store, without its HTTP
server. The two take turns. MLflow is read from the folder `ARCHON_BENCH_MLFLOW`, into which
`tests/benchmarks/registry/requirements.txt` was installed; without it ours alone are measured. Then
a rollback to a model of 90 MB, from the command to the configuration in the outbox, files checked.
"""

import asyncio
import json
import logging
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
import uvloop

from archon_contracts.commands import DeployModel, RegisterModel, RollBackModel
from archon_contracts.events import AgentConfiguration, AgentConfigured, ModelRegistered
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import AgentKind, AgentProfile, ArtifactRef, Estimate, ModelRef
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.servers.postgres import EmbeddedPostgres
from services.gateway.audit.store import AuditStore
from services.gateway.functions.log_analysis_store import LogAnalysisStore
from services.gateway.models.search import ModelFilter
from services.gateway.models.store import ModelReads
from services.gateway.read_models.projection_store import ProjectionStore
from services.gateway.read_models.projections import Projections
from services.gateway.sse.event_store import EventStore
from services.gateway.store import GatewayStore
from services.registry.artifact_checks import ArtifactChecks
from services.registry.rollout.service import Rollouts
from services.registry.rollout.store import ExperimentStore
from services.registry.service import RegistryService
from services.registry.store import ModelStore
from shared.artifacts.store import ArtifactStore
from shared.process.service_context import ServiceContext
from tests.benchmarks.harness import Figure, spread_of
from tests.support.infrastructure.python_process import python_process
from tests.support.infrastructure.service_contexts import open_service_context, probe_settings
from tests.support.messaging.messages import message_of

AGENT = "bench"
ROUNDS = 4
CALLS: Mapping[str, int] = {"register": 250, "move": 50, "read": 100, "list": 5}
ROLLBACKS, MODEL_BYTES = 6, 90_000_000
REACH_RATIO, REACH_ROLLBACK_SECONDS = 5, 1.0
TINY = {
    "ROUNDS": 1,
    "CALLS": {"register": 3, "move": 2, "read": 2, "list": 1},
    "ROLLBACKS": 1,
    "MODEL_BYTES": 1_000,
}
MLFLOW = os.environ.get("ARCHON_BENCH_MLFLOW", "")
Verb = Callable[[], Awaitable[None]]
Timings = dict[str, list[float]]


def run() -> list[Figure]:
    """Both registries, verb by verb, in turn."""
    # A service writes its log lines as JSON; the console's colours would be measured here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    return uvloop.run(_measure())  # as the services do


async def _measure() -> list[Figure]:
    ours: Timings = {verb: [] for verb in CALLS}
    theirs: Timings = {verb: [] for verb in CALLS}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archon-bench-")))
        postgres = EmbeddedPostgres(folder / "postgres", pick_free())
        await postgres.start()
        stack.push_async_callback(postgres.stop)
        registry = await stack.enter_async_context(_opened(postgres.url, folder))
        peer = await stack.enter_async_context(_mlflow(postgres.url)) if MLFLOW else None
        for number in range(ROUNDS):
            for verb, count in CALLS.items():
                sides = [(ours, registry.measure)] + ([(theirs, peer.measure)] if peer else [])
                for timings, measure in sides if number % 2 == 0 else reversed(sides):
                    timings[verb] += await measure(verb, count)
        rollbacks = await registry.measure_rollbacks()
    return [*_figures(ours, theirs), _rollback_figure(rollbacks)]


def _figures(ours: Timings, theirs: Timings) -> list[Figure]:
    figures = []
    for verb, taken in ours.items():
        milliseconds = [1000 * each for each in taken]
        figures.append(
            Figure(
                name=verb,
                figure=statistics.median(milliseconds),
                unit="ms",
                spread=spread_of(milliseconds),
                higher_is_better=False,
            )
        )
        if theirs[verb]:
            peer = 1000 * statistics.median(theirs[verb])
            figures.append(Figure(name=f"{verb}, MLflow", figure=peer, unit="ms"))
            ratio = peer / statistics.median(milliseconds)
            figures.append(
                Figure(name=f"{verb}, times faster", figure=ratio, unit="x", reach=REACH_RATIO)
            )
    return figures


def _rollback_figure(taken: list[float]) -> Figure:
    return Figure(
        name=f"rollback to a model of {MODEL_BYTES / 1e6:,.0f} MB",
        figure=max(taken),
        unit="s, slowest",
        reach=REACH_ROLLBACK_SECONDS,
        higher_is_better=False,
    )


class MeasuredRegistry:
    """The registry's use cases and the gateway's reads, on one database."""

    def __init__(self, registry: ServiceContext, gateway: ServiceContext, folder: Path) -> None:
        self._registry, self._gateway = registry, gateway
        self._artifacts = ArtifactStore(f"file://{folder}/store")
        models, shared = ModelStore(), (registry.outbox, registry.audit, registry.clock)
        rollouts = Rollouts(models, ExperimentStore(), *shared)
        self._service = RegistryService(models, rollouts, *shared, ArtifactChecks(self._artifacts))
        self._projections = Projections(
            ProjectionStore(), AuditStore(), EventStore(), LogAnalysisStore()
        )
        self._folder = folder
        self._registered = self._moved = 0
        self._verbs: dict[str, Verb] = {
            "register": self._register,
            "move": self._move,
            "read": self._read,
            "list": self._list,
        }

    async def measure(self, verb: str, count: int) -> list[float]:
        """Seconds of each call."""
        taken = []
        for _ in range(count):
            started = time.perf_counter()
            await self._verbs[verb]()
            taken.append(time.perf_counter() - started)
            if verb == "register":
                await self._project()
        return taken

    async def measure_rollbacks(self) -> list[float]:
        """Seconds of rollbacks between two models of full size, each checked byte by byte."""
        agent = "rolled-back"
        for number in range(2):
            artifact = await self._publish(f"large-{number}", MODEL_BYTES)
            await self._handle(_registration(agent, artifact), self._service.register_model)
            deploy = DeployModel(agent_id=agent, model_version=f"1.{number}.0", reason="bench")
            await self._handle(deploy, self._service.deploy_model)
        taken = []
        for number in range(ROLLBACKS):
            target = f"1.{number % 2}.0"
            command = RollBackModel(agent_id=agent, to_version=target, reason="bench")
            started = time.perf_counter()
            await self._handle(command, self._service.roll_back_model)
            taken.append(time.perf_counter() - started)
            if await self._newest_configuration(agent) != target:
                raise RuntimeError(f"the newest configuration does not name {target}")
        return taken

    async def _register(self) -> None:
        artifact = await self._artifact(self._registered)
        await self._handle(_registration(AGENT, artifact), self._service.register_model)
        self._registered += 1

    async def _artifact(self, number: int) -> ArtifactRef:
        # Of many versions the first are real: those that are deployed.
        if number < 2:
            return await self._publish(f"small-{number}", 100)
        digest = derived_id("bench", number).hex * 2
        return ArtifactRef(uri=f"file:///models/{digest}", digest=digest)

    async def _publish(self, name: str, size: int) -> ArtifactRef:
        header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
        weights = len(header).to_bytes(8, "little") + header.encode() + name[-1:].encode() * size
        card = {"kind": "classifier", "labels": [], "base_model": name}
        files = {"archon.json": json.dumps(card).encode(), "model.safetensors": weights}
        return await self._artifacts.publish_files(files)

    async def _move(self) -> None:
        # A job's deployment, whose candidate its evaluation has loaded: like MLflow's, the files
        # are not read again.
        self._moved += 1
        before = f"1.{(self._moved - 1) % 2}.0" if self._moved > 1 else None
        command = DeployModel(
            agent_id=AGENT,
            model_version=f"1.{self._moved % 2}.0",
            reason="bench",
            job_id=new_id(),
            compared_with=before,
        )
        await self._handle(command, self._service.deploy_model)

    async def _read(self) -> None:
        async with self._gateway.database.transaction("default") as tx:
            (found,) = await GatewayStore().models(tx, "default", AGENT, version="1.0.0")
        if found.agent_id != AGENT:
            raise RuntimeError("another model was read")

    async def _list(self) -> None:
        async with self._gateway.database.transaction("default") as tx:
            found, _ = await ModelReads().search(
                tx, "default", AGENT, ModelFilter(), limit=1000, offset=0
            )
        if len(found) != min(self._registered, 1000):
            raise RuntimeError(f"{len(found)} of {self._registered} versions were listed")

    async def _handle(
        self, command: RegisterModel | DeployModel | RollBackModel, use_case: object
    ) -> None:
        await self._registry.inbox.run_once(message_of(command), use_case)  # type: ignore[arg-type]

    async def _project(self) -> None:
        """The gateway's copy of the newest registration, outside of what is timed."""
        number = self._registered - 1
        artifact = await self._artifact(number)
        command = _registration(AGENT, artifact)
        event = ModelRegistered(
            agent_id=AGENT,
            job_id=command.job_id,
            model_id=new_id(),
            model=ModelRef(version=f"1.{number}.0", artifact=artifact),
            dataset_id=command.dataset_id,
            dataset=command.dataset,
            metrics=command.metrics,
            lineage=command.lineage,
            kind=command.kind,
        )
        await self._gateway.inbox.run_once(message_of(event), self._projections.project)

    async def configure(self) -> None:
        """The agent, which lists ask for."""
        profile = AgentProfile(agent_id=AGENT, kind=AgentKind.CLASSIFIER, base_model="pypi:m")
        event = AgentConfigured(agent_id=AGENT, profile=profile)
        await self._gateway.inbox.run_once(message_of(event), self._projections.project)

    async def _newest_configuration(self, agent: str) -> str:
        async with self._registry.database.across_tenants() as tx:
            payload = await tx.fetchval(
                "SELECT payload FROM outbox WHERE topic = $1 AND key = $2 ORDER BY id DESC LIMIT 1",
                AgentConfiguration.topic.name,
                f"default/{agent}",
            )
        return AgentConfiguration.model_validate_json(payload).model.version


def _registration(agent: str, artifact: ArtifactRef) -> RegisterModel:
    return RegisterModel(
        agent_id=agent,
        job_id=new_id(),
        kind=AgentKind.CLASSIFIER,
        artifact=artifact,
        dataset_id=new_id(),
        dataset=artifact,
        metrics={"accuracy": Estimate(value=0.9, low=0.8, high=1.0, n=100)},
        lineage={"seed": 7, "method": "continual", "revision": "abc"},
    )


@asynccontextmanager
async def _opened(url: str, folder: Path) -> AsyncIterator[MeasuredRegistry]:
    async with (
        open_service_context(probe_settings(url, service="registry")) as registry,
        open_service_context(probe_settings(url, service="gateway")) as gateway,
    ):
        measured = MeasuredRegistry(registry, gateway, folder)
        await measured.configure()
        yield measured


class MlflowRegistry:
    """MLflow in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def measure(self, verb: str, count: int) -> list[float]:
        """Seconds of each call."""
        return [float(each) for each in json.loads(await self.say(f"{verb} {count}\n"))]

    async def say(self, line: str) -> bytes:
        """Send a line, and read the answer."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        process.stdin.write(line.encode())
        answer = await process.stdout.readline()
        if not answer:
            raise RuntimeError("MLflow's process has ended; its error is above")
        return answer


@asynccontextmanager
async def _mlflow(url: str) -> AsyncIterator[MlflowRegistry]:
    script = Path(__file__).with_name("mlflow_process.py")
    environment = {**os.environ, "PYTHONPATH": MLFLOW}
    async with python_process(
        str(script), url, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        peer = MlflowRegistry(process)
        while (line := await peer.say("")) != b"ready\n":
            print(line.decode().rstrip())
        yield peer
