"""Data preparation on a real database and a real artifact store."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from archon_contracts.commands import DataSource, PrepareDataset, SourceKind
from archon_contracts.events import DatasetPrepared, DatasetRejected
from archon_contracts.values import ArtifactRef
from services.data_prep.child import FORK_SERVER_MODULES
from services.data_prep.domain import PreparationPolicy
from services.data_prep.service import PREPARE, DataPrepService
from services.data_prep.store import DataPrepStore
from services.data_prep.worker import PrepareWorker
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from tests.support.data.datasets import model_deployed, model_registered
from tests.support.eventually import eventually
from tests.support.messaging.messages import message_of
from tests.support.messaging.stored import events_of
from tests.support.messaging.working import working

Line = Mapping[str, Any]
# Imported once a module of tests; the product's fork server leaves them to the children, since a
# service is idle for longer than a child takes to import them: 1.5 s of a core.
LIBRARIES = ("sklearn.feature_extraction.text", "scipy.stats", "rensa")


def jsonl(lines: Iterable[Line]) -> bytes:
    """Lines as a file."""
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


def corrections(count: int, target: str = "refund", topic: str = "question") -> list[Line]:
    """Feedback with a correction each; equal arguments give equal lines."""
    return [
        {
            "id": f"{topic}-{number}",
            "input": f"{topic} {blake2b(str(number).encode(), digest_size=12).hexdigest()}",
            "target": target,
            "actual": "status",
            "source": "feedback",
        }
        for number in range(count)
    ]


class RunningDataPrep:
    """The real service and its worker."""

    def __init__(self, shared: ServiceContext, *, deadline_seconds: float = 60.0) -> None:
        self.shared = shared
        self.deploys = True
        policy = PreparationPolicy(replay_capacity=100)
        self.store = DataPrepStore()
        self.service = DataPrepService(self.store, shared.outbox, shared.work, policy)
        preparing = PrepareWorker(
            service=self.service,
            queue=shared.work,
            artifacts=shared.artifacts,
            children=ChildPool(
                warm_up_modules=(*FORK_SERVER_MODULES, *LIBRARIES),
                threads=1,
                telemetry=shared.telemetry,
            ),
            policy=policy,
            clock=shared.clock,
            deadline_seconds=deadline_seconds,
        )
        self.worker = shared.worker({PREPARE: preparing})

    async def source(
        self, lines: Iterable[Line], kind: SourceKind = SourceKind.FEEDBACK
    ) -> DataSource:
        """Lines as a published source."""
        content = jsonl(lines)
        artifact = await self.publish({"items.jsonl": content})
        return DataSource(kind=kind, artifact=artifact, items=content.count(b"\n"))

    async def publish(self, files: Mapping[str, bytes]) -> ArtifactRef:
        return await self.shared.artifacts.publish_files(files)

    async def deploy(self, dataset: DatasetPrepared, *, by_person: bool = False) -> None:
        """Register and deploy a version that was trained on a dataset."""
        registered = model_registered(dataset, f"1.{dataset.dataset_version}.0")
        deployed = model_deployed(registered, by_person=by_person)
        run_once, service = self.shared.inbox.run_once, self.service
        await run_once(message_of(registered), service.record_registration)
        await run_once(message_of(deployed), service.record_deployment)

    async def execute(self, *commands: PrepareDataset) -> list[DatasetPrepared | DatasetRejected]:
        """Carry out the commands one after the other and deploy a version of each dataset;
        everything is_published so far."""
        async with working(self.worker):
            for command in commands:
                open_before = len(await events_of(self.shared.database))
                message = message_of(command)
                await self.shared.inbox.run_once(message, self.service.queue_preparation)
                await self._until_published(open_before + 1)
                newest = (await events_of(self.shared.database))[-1]
                if self.deploys and isinstance(newest, DatasetPrepared):
                    await self.deploy(newest)
        return [
            event
            for event in await events_of(self.shared.database)
            if isinstance(event, DatasetPrepared | DatasetRejected)
        ]

    async def _until_published(self, count: int) -> None:
        async def is_published() -> bool:
            return len(await events_of(self.shared.database)) >= count

        await eventually(is_published, timeout=30)

    async def lines(self, event: DatasetPrepared, name: str) -> list[dict[str, Any]]:
        """A file of a prepared dataset."""
        content = await self.shared.artifacts.read(event.artifact, name)
        return [orjson.loads(line) for line in content.splitlines()]
