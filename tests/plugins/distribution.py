"""Which tests go to the same worker, and when what they share ends.

The tests of a file do, because its fixtures are made once. So do all tests that share a whole
system or an Apache Kafka, whatever their file: a system costs 25 s of a core to start.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest
from xdist.scheduler import LoadFileScheduling

GROUPS: dict[str, tuple[str, ...]] = {
    "system": (
        "tests/acceptance/test_generators.py",
        "tests/acceptance/test_sdk.py",
        "tests/acceptance/test_reinforcement.py",
        "tests/acceptance/test_self_trigger.py",
        "tests/acceptance/test_transfer.py",
        "tests/acceptance/test_two_namespaces.py",
        "tests/acceptance/test_whole_system.py",
        "tests/integration/benchmarks/test_tiny_runs.py::test_a_benchmark_of_a_running_system",
    ),
    "real_kafka": ("tests/integration/shared/kafka_real/",),
}
"""Session fixtures that one worker starts, and how the ids of tests that may ask for each begin.

Written down here, since the process that distributes the tests collects none; and the runner's own
groups, which it would add to the ids, are lost on this pytest.
"""


class FilesAndGroups(LoadFileScheduling):
    """Each group and each other file to one worker, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        """What a test goes to its worker with."""
        return group_of(nodeid) or super()._split_scope(nodeid)


def group_of(nodeid: str) -> str | None:
    """The group of a test, or None: its file."""
    return next((name for name, begin in GROUPS.items() if nodeid.startswith(begin)), None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FilesAndGroups | None:
    """Take the place of `--dist loadfile`."""
    return FilesAndGroups(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that would start a second one of what is shared."""
    for item in items:
        for name in shared_fixtures(item):
            if group_of(item.nodeid) != name:
                raise pytest.UsageError(
                    f"{item.nodeid} asks for the fixture {name}, which one worker is to start: "
                    f"name the test in GROUPS[{name!r}] of tests/plugins/distribution.py"
                )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """End what this test shared and the next one does not: idle, it takes a tenth of a core."""
    try:
        return (yield)
    finally:
        kept = shared_fixtures(nextitem) if nextitem is not None else {}
        for name, fixture in shared_fixtures(item).items():
            if name not in kept:
                # pytest would keep it to the end of the session; finished twice is finished once.
                fixture.finish(item._request)  # type: ignore[attr-defined]


def shared_fixtures(item: pytest.Item) -> dict[str, pytest.FixtureDef[object]]:
    """The shared fixtures that a test asks for; a module's own of the same name is not one."""
    known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    found = {name: known[name][-1] for name in GROUPS if name in known}
    return {name: fixture for name, fixture in found.items() if fixture.scope == "session"}
