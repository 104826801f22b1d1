"""`archon quickstart` on a table of a thousand rows: from the command to the deployed version.

The command as a user gives it, on a system that has just started, with the base model that it
takes by default; the rows are of fifty intents of CLINC150.
"""

from __future__ import annotations

import asyncio
import csv
import json
import tempfile
import time
from pathlib import Path

from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.local.runtime import Runtime
from tests.benchmarks.data.clinc_rows import read_clinc
from tests.benchmarks.harness import Figure
from tests.benchmarks.system import WARM_UP_SECONDS, fresh_system

DATA_FILE = "clinc150/clinc150_full.jsonl"
ROWS, INTENTS = 1_000, 50
TINY = {"ROWS": 80, "INTENTS": 4, "WARM_UP_SECONDS": 0.0}


def run() -> list[Figure]:
    """Write the table, run the command, and read what it did."""
    with tempfile.TemporaryDirectory(prefix="archon-quickstart-") as folder:
        table = Path(folder) / "requests.csv"
        rows = write_table(table)
        seconds = asyncio.run(_measure(table))
    name = f"archon quickstart of {rows} rows, to the deployed version"
    return [Figure(name=name, figure=seconds, unit="s", reach=60, higher_is_better=False)]


def write_table(path: Path) -> int:
    """The rows as a user has them; returns how many there are."""
    rows = read_clinc("train")
    intents = sorted({row.label for row in rows})[:INTENTS]
    chosen = [row for row in rows if row.label in intents][:ROWS]
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("text", "label"))
        writer.writerows(chosen)
    return len(chosen)


async def _measure(table: Path) -> float:
    async with fresh_system() as (runtime, _):
        await asyncio.sleep(WARM_UP_SECONDS)
        return await asyncio.to_thread(_quickstart, runtime, table)


def _quickstart(runtime: Runtime, table: Path) -> float:
    where = ("--url", runtime.endpoints.gateway_url, "--api-key", runtime.api_key)
    arguments = ["quickstart", str(table), "--agent", "quickstarted", "--no-open", "--json", *where]
    began = time.perf_counter()
    result = CliRunner().invoke(app, arguments)
    seconds = time.perf_counter() - began
    if result.exit_code != 0:
        raise RuntimeError(f"the command ended with {result.exit_code}: {result.output[-500:]}")
    if not json.loads(result.stdout)["version"]:
        raise RuntimeError("nothing was deployed")
    return seconds
