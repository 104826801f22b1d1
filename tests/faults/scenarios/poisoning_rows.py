"""T1b: every attack of the table, with an evaluation suite and without, window by window."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.faults.accounting.client_log import Account
from tests.faults.scenario import Context, ScenarioResult
from tests.support.data.intents import DATA_FILE
from tests.support.data.real_data import RealData
from tests.support.training.poisoning_rows import PoisoningRow, run_rows
from tests.support.training.simulated_agent import FrozenEncoder

PREFIX = "faults"


class PoisoningRows:
    """An attacker with up to a quarter of a window changes nothing, and honest users lose nothing.

    Data preparation, the closed-form head on a pretrained encoder and the gate are the product's;
    messages and services take no part.
    """

    id = "T1b"
    what = "attackers in many ways: no unit ids, many, other sources and times, slowly, with a mark"

    async def run(self, context: Context) -> ScenarioResult:
        path = RealData().test_data / DATA_FILE
        if not path.is_file():
            return ScenarioResult.of_nothing(
                f"{DATA_FILE} is not here; ARCHON_TEST_DATA names its folder"
            )
        cases = context.size(short=1, long=5)
        encoder = FrozenEncoder()
        rows: list[PoisoningRow] = []
        for number in range(cases):
            seed = context.seed * 100 + number
            rows += await asyncio.to_thread(_run_all, encoder, path, seed)
        asked = [row for row in rows if row.attack.attainable]
        return ScenarioResult(
            account=Account(0, 0, 0, 0, 0, 0, 0),
            load=f"{len(rows)} attacks of up to a quarter of a window, {cases} agents",
            faults=len(asked),
            survived=sum(row.holds for row in asked),
            trials=len(asked),
            problems=tuple(describe_row(row) for row in asked if not row.holds),
            facts={name_row(row): describe_row(row) for row in rows},
        )


def _run_all(encoder: FrozenEncoder, path: Path, seed: int) -> list[PoisoningRow]:
    return list(run_rows(encoder, path, PREFIX, seed))


def name_row(row: PoisoningRow) -> str:
    """The attack, and whether there is a suite."""
    return f"{row.attack.name}, {'suite' if row.suite else 'no suite'}"


def describe_row(row: PoisoningRow) -> str:
    """The figures of a row."""
    return (
        f"{name_row(row)}: attack {row.success:.1%} (without trust {row.untrusted_success:.0%}), "
        f"honest accuracy {row.accuracy:.3f} of {row.honest_accuracy:.3f}"
    )
