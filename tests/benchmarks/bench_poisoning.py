"""Poisoning: how often each attack of scenario T1b works, and what honest users lose by it.

Other agents than those that the rules of trust were chosen on. The attack's success is the
proportion of targeted requests that get the attacker's answer beyond those that get it without an
attacker; the loss is that of honest accuracy. `worst` is the least favourable of all agents.

The same events are learnt as windows of corrections, and as corrections by updates of the fast path
(as they arrive, within its limits of raters, by its own rules of trust and gate) before the window.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from tests.benchmarks.harness import Figure
from tests.support.data.attacks import ATTACKS
from tests.support.data.intents import DATA_FILE
from tests.support.data.real_data import RealData
from tests.support.training.poisoning_rows import (
    LARGEST_LOSS,
    LARGEST_SUCCESS,
    LearningWay,
    PoisoningRow,
    run_rows,
)
from tests.support.training.simulated_agent import FrozenEncoder

AGENTS = 8
PREFIX = "report"
NAMES = tuple(attack.name for attack in ATTACKS)
"""Attacks of the run."""
WAYS = tuple(LearningWay)
TINY = {"AGENTS": 1, "NAMES": ("one unit",), "WAYS": (LearningWay.FAST_PATH,)}


def run() -> list[Figure]:
    """Run every attack on each agent."""
    encoder, path = FrozenEncoder(), RealData().test_data / DATA_FILE
    rows: defaultdict[str, list[PoisoningRow]] = defaultdict(list)
    chosen = [attack for attack in ATTACKS if attack.name in NAMES]
    for way in WAYS:
        # An agent without a suite has no fast path.
        suites = (True,) if way is LearningWay.FAST_PATH else (True, False)
        for seed in range(AGENTS):
            for row in run_rows(encoder, path, PREFIX, seed, chosen, suites, way):
                where = "suite" if row.suite else "no suite"
                name = f"{row.attack.name}, {where}, {way}"
                rows[name].append(row)
                print(
                    f"{name}, agent {seed}: {row.success:.3f} of the targeted, "
                    f"{row.lost:.3f} lost of {row.honest_accuracy:.3f}, "
                    f"{row.deployed} versions of {row.honest_deployed}",
                    flush=True,
                )
    return [figure for name, found in rows.items() for figure in _figures(name, found)]


def _figures(name: str, rows: Sequence[PoisoningRow]) -> list[Figure]:
    asked = rows[0].attack.attainable
    success = [100 * row.success for row in rows]
    loss = [100 * row.lost for row in rows]
    untrusted = statistics.fmean(100 * row.untrusted_success for row in rows)
    held = sum(row.holds for row in rows)
    return [
        Figure(
            name=f"{name}: agents of {len(rows)} where both bounds hold (without trust the attack "
            f"reaches {untrusted:.0f} %)",
            figure=held,
            unit="agents",
            reach=len(rows) if asked else None,
        ),
        Figure(
            name=f"{name}: attack success, mean (worst {max(success):.1f} %)",
            figure=statistics.fmean(success),
            unit="%",
            reach=100 * LARGEST_SUCCESS if asked else None,
            higher_is_better=False,
        ),
        Figure(
            name=f"{name}: honest accuracy lost, mean (worst {max(loss):.1f} points)",
            figure=statistics.fmean(loss),
            unit="points",
            reach=100 * LARGEST_LOSS if asked else None,
            higher_is_better=False,
        ),
    ]
