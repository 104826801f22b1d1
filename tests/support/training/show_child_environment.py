"""Writes the environment of a child of the pool to the file of its argument, as JSON.

It is a process of its own: in that of the tests a fork server may run already, with the
environment of an earlier test.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from shared.postgres.database import Database
from shared.telemetry.store import TelemetryStore
from shared.work.child_pool import ChildPool


async def main() -> None:
    """Run one child."""
    telemetry = TelemetryStore(Database("postgresql://nowhere", "probe"), "probe")
    entries = "tests.support.training.entries"
    pool = ChildPool(warm_up_modules=[entries], threads=1, telemetry=telemetry)

    async def ignore(_report: dict[str, Any]) -> None:
        return

    found = await pool.run(f"{entries}:show_environment", {}, ignore)
    Path(sys.argv[1]).write_text(json.dumps(found))  # noqa: ASYNC240  nothing else runs


if __name__ == "__main__":
    asyncio.run(main())
