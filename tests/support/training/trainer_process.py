"""A trainer's worker as a process of its own, to be killed.

Arguments: database URL, artifact folder, work folder, entry.
"""

import asyncio
import sys
from pathlib import Path

from shared.process.service_context import ServiceContext
from tests.support.infrastructure.service_contexts import probe_settings
from tests.support.training.trainer import TrainerHarness


async def main(database_url: str, artifacts: str, work_dir: str, entry: str) -> None:
    """Work until killed."""
    settings = probe_settings(
        database_url, service="trainer", artifacts_url=f"file://{artifacts}", lease_seconds=1.5
    )
    shared = ServiceContext.build(settings)
    await shared.database.open(timeout_seconds=10)
    await TrainerHarness(shared, Path(work_dir), entry).worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
