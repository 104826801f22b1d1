"""Carries out an order for a dataset."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archon_contracts.commands import PrepareDataset
from archon_contracts.values import ArtifactRef
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset, RejectedDataset
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.service import DataPrepService
from services.data_prep.sources.loading import (
    SourceFolders,
    read_held_out,
    read_sources,
    read_targets,
)
from shared.postgres.database import Tx
from shared.work.queue import Lease


@dataclass(frozen=True, slots=True)
class PublishedDataset:
    """A dataset that lies in the artifact store."""

    prepared: PreparedDataset
    artifact: ArtifactRef


class ArtifactStore(Protocol):
    """Where folders lie."""

    async def fetch(self, ref: ArtifactRef) -> Path: ...
    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef: ...


class GuardedQueue(Protocol):
    """Transactions that hold only while the lease does."""

    def guarded(self, lease: Lease) -> AbstractAsyncContextManager[Tx]: ...


class PrepareWorker:
    """The handler of `prepare` work."""

    def __init__(
        self,
        service: DataPrepService,
        queue: GuardedQueue,
        artifacts: ArtifactStore,
        policy: PreparationPolicy,
    ) -> None:
        self._service = service
        self._queue = queue
        self._artifacts = artifacts
        self._policy = policy

    async def run(self, lease: Lease) -> PublishedDataset | RejectedDataset:
        """Fetch, prepare in a thread, publish."""
        command = PrepareDataset.model_validate(lease.payload)
        async with self._queue.guarded(lease) as tx:
            memory = await self._service.read_replay_items(tx, command)
            erased_feedback_ids = await self._service.read_erased_feedback_ids(tx, command)
        folders = await self._fetch(command)
        inputs = await asyncio.to_thread(
            _build_inputs, command, folders, memory, erased_feedback_ids
        )
        result = await asyncio.to_thread(prepare, inputs, self._policy)
        if isinstance(result, RejectedDataset):
            return result
        files = await asyncio.to_thread(build_files, command, result, self._policy)
        return PublishedDataset(result, await self._artifacts.publish_files(files))

    async def complete(
        self, tx: Tx, lease: Lease, result: PublishedDataset | RejectedDataset
    ) -> None:
        """Keep the version, or say why there is none."""
        command = PrepareDataset.model_validate(lease.payload)
        match result:
            case RejectedDataset(reason, quality):
                await self._service.record_rejected(tx, command, reason, quality, lease.cause)
            case PublishedDataset(prepared, artifact):
                await self._service.record_prepared(tx, command, prepared, artifact, lease.cause)

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """The order cannot be carried out: the job gets the reason."""
        command = PrepareDataset.model_validate(lease.payload)
        await self._service.record_rejected(tx, command, str(error), None, lease.cause)

    async def _fetch(self, command: PrepareDataset) -> SourceFolders:
        sources = [await self._artifacts.fetch(source.artifact) for source in command.sources]
        return SourceFolders(
            sources=sources,
            suite=await self._fetch_optional(command.evaluation_suite),
            catalogue=await self._fetch_optional(command.catalogue),
        )

    async def _fetch_optional(self, ref: ArtifactRef | None) -> Path | None:
        return await self._artifacts.fetch(ref) if ref else None


def _build_inputs(
    command: PrepareDataset,
    folders: SourceFolders,
    memory: list[Item],
    erased_feedback_ids: frozenset[str],
) -> PreparationInputs:
    return PreparationInputs(
        command=command,
        parsed_sources=read_sources(command, folders),
        targets=read_targets(command, folders.catalogue),
        held_out=read_held_out(folders.suite),
        memory=memory,
        erased_feedback_ids=erased_feedback_ids,
    )
