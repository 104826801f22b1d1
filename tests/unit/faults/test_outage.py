"""What an outage of Kafka's nodes must show, and when it is a problem."""

import asyncio
import signal

from tests.faults.scenarios.kafka.outage import OutageReport
from tests.faults.scenarios.kafka.watch import LINES_PER_MINUTE


class Cluster:
    """One node; `comes_back`: whether all are in sync at the end."""

    def __init__(self, *, comes_back: bool) -> None:
        self.comes_back = comes_back
        self.done: list[str] = []

    async def end(self, number: signal.Signals) -> None:
        self.done.append(number.name)

    async def start(self) -> None:
        self.done.append("start")

    async def well(self) -> bool:
        return self.comes_back


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def pass_through(report: OutageReport, cluster: Cluster, lines: int) -> dict[str, float]:
    counts = iter([{"a": 2}, {"a": 2 + lines}])
    return await report.pass_through(
        cluster, [cluster], 0.0, is_named=yes, count_lines=lambda: next(counts)
    )


async def test_an_outage_that_is_named_and_quiet_is_no_problem() -> None:
    report, cluster = OutageReport(), Cluster(comes_back=True)

    rates = await pass_through(report, cluster, LINES_PER_MINUTE)

    assert cluster.done == ["SIGKILL", "start"]
    assert rates == {"a": LINES_PER_MINUTE}
    assert report.problems == []
    assert report.facts.keys() == {"readiness named it after, s", "log lines a minute"}


async def test_many_lines_and_a_cluster_that_stays_away_are_problems() -> None:
    report = OutageReport()

    await pass_through(report, Cluster(comes_back=False), LINES_PER_MINUTE + 1)

    assert report.problems == [
        "the cluster itself did not come back",
        f"a: {LINES_PER_MINUTE + 1} log lines a minute",
    ]


async def test_what_comes_too_late_is_a_problem() -> None:
    report = OutageReport()
    began = asyncio.get_running_loop().time()

    await report.expect("sent after, s", no, 0.05)
    await report.expect("read after, s", yes, 1.0, since=began - 60)

    assert [problem.rsplit(" ", 2)[0] for problem in report.problems] == [
        "sent after",
        "read after",
    ]
