"""The trainer's working folders: `<work dir>/<job>/<attempt>/{checkpoints,output-...}`."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from uuid import UUID

from archon_contracts.commands import TrainModel
from archon_contracts.private_folder import OWNER_ONLY
from shared.logging import get_logger

log = get_logger(__name__)


class WorkFolders:
    """Checkpoints stay through a crash and a new lease; everything goes when the job is over."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def make(self, command: TrainModel, lease: UUID) -> tuple[Path, Path]:
        """Folders for the attempt's checkpoints and for this lease's model."""
        await asyncio.to_thread(self._root.mkdir, mode=OWNER_ONLY, parents=True, exist_ok=True)
        attempt = self._root / str(command.job_id) / str(command.attempt)
        folders = attempt / "checkpoints", attempt / f"output-{lease.hex}"
        await asyncio.to_thread(_make, *folders)
        return folders

    async def remove_all_but(self, open_jobs: set[UUID]) -> int:
        """Remove the folders of jobs that are over; returns how many."""
        return await asyncio.to_thread(self._remove_all_but, {str(job) for job in open_jobs})

    def _remove_all_but(self, open_jobs: set[str]) -> int:
        if not self._root.is_dir():
            return 0
        over = [
            folder
            for folder in self._root.iterdir()
            if _is_job(folder.name) and folder.name not in open_jobs
        ]
        for folder in over:
            shutil.rmtree(folder, ignore_errors=True)
            log.info("work_folder_removed", job_id=folder.name)
        return len(over)


def _make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)


def _is_job(name: str) -> bool:
    """Only folders that this class could have made are removed."""
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
