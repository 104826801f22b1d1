"""Carries out a command for a dataset."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archon_contracts.commands import PrepareDataset
from archon_contracts.values import ArtifactRef
from services.data_prep.child import ENTRY, PreparationSpec, parse_result
from services.data_prep.domain import PreparationPolicy, PreparedSummary, RejectedDataset
from services.data_prep.errors import PreparationTimedOut
from services.data_prep.service import DataPrepService
from services.data_prep.sources.loading import SourceFolders
from shared.artifacts.store import ArtifactStore
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.work.child_pool import ChildPool
from shared.work.queue import Lease, WorkQueue


@dataclass(frozen=True, slots=True)
class PublishedDataset:
    """A dataset that lies in the artifact store."""

    prepared: PreparedSummary
    artifact: ArtifactRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareWorker:
    """The handler of `prepare` work."""

    service: DataPrepService
    queue: WorkQueue
    artifacts: ArtifactStore
    children: ChildPool
    policy: PreparationPolicy
    clock: Clock
    deadline_seconds: float

    async def run(self, lease: Lease) -> PublishedDataset | RejectedDataset:
        """Fetch the sources, prepare them in a child, publish its files.

        Raises:
            PreparationTimedOut: the child was ended at its deadline.
        """
        command = PrepareDataset.model_validate(lease.payload)
        async with self.queue.guarded(lease) as tx:
            memory = await self.service.read_memory(tx, command)
            erased = await self.service.read_erased_feedback_ids(tx, command)
        folders = await self._fetch(command)
        with tempfile.TemporaryDirectory(prefix="archon-dataset-") as output:
            spec = PreparationSpec(
                command=command,
                folders=folders,
                memory=memory.replay,
                reference=memory.reference,
                seeds=self.service.derive_seeds(command),
                erased_feedback_ids=erased,
                policy=self.policy,
                now=self.clock.now(),
                output_dir=Path(output),
            )
            result = parse_result(await self._run_child(spec))
            if isinstance(result, RejectedDataset):
                return result
            return PublishedDataset(result, await self.artifacts.publish(Path(output)))

    async def complete(
        self, tx: Tx, lease: Lease, result: PublishedDataset | RejectedDataset
    ) -> None:
        """Store the version, or publish why there is none."""
        command = PrepareDataset.model_validate(lease.payload)
        match result:
            case RejectedDataset(reason, quality):
                await self.service.record_rejected(tx, command, reason, quality, lease.cause)
            case PublishedDataset(prepared, artifact):
                await self.service.record_prepared(tx, command, prepared, artifact, lease.cause)

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """Publish why the command cannot be carried out."""
        command = PrepareDataset.model_validate(lease.payload)
        await self.service.record_rejected(tx, command, str(error), None, lease.cause)

    async def _run_child(self, spec: PreparationSpec) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.deadline_seconds):
                return await self.children.run(ENTRY, spec.model_dump(mode="json"), _ignore)
        except TimeoutError as error:
            # Permanent: the same texts would take the same time again.
            raise PreparationTimedOut(
                f"the dataset was not prepared within {self.deadline_seconds:g} s; send fewer or "
                "shorter items, or raise ARCHON_DATA_PREP_DEADLINE_SECONDS"
            ) from error

    async def _fetch(self, command: PrepareDataset) -> SourceFolders:
        sources = [await self.artifacts.fetch(source.artifact) for source in command.sources]
        return SourceFolders(
            sources=sources,
            suite=await self._fetch_optional(command.evaluation_suite),
            catalogue=await self._fetch_optional(command.catalogue),
        )

    async def _fetch_optional(self, ref: ArtifactRef | None) -> Path | None:
        return await self.artifacts.fetch(ref) if ref else None


async def _ignore(_report: dict[str, Any]) -> None:
    """A preparation reports nothing on its way."""
