"""A batch consumer and the records that it cannot handle, in a process of its own."""

from pathlib import Path

import pytest

from tests.faults.brokers.servers import servers
from tests.faults.probes import fleet
from tests.faults.waiting import until
from tests.faults.workload.load import CommandLoad

POISONS = ("raise", "wait", "kill")


@pytest.mark.timeout(180)
async def test_only_the_guilty_record_of_a_batch_is_set_aside_after_its_tries(
    tmp_path: Path,
) -> None:
    async with servers(tmp_path) as both, fleet(both, tmp_path) as probes:
        await probes.start(handler_attempts=2, handler_timeout_seconds=1, probe_batch=True)
        async with CommandLoad(both.bootstrap_servers, tmp_path / "client_log", 7) as load:
            good, bad = await load.send(20), []
            for poison in POISONS:
                bad += await load.send(1, reason=poison)
                good += await load.send(20)

        async def settled() -> bool:
            return await probes.count("handled") + await probes.letters() >= len(good) + len(bad)

        assert await until(settled, timeout=120)
        effects, tries = await probes.read_effects(), await probes.letter_headers("dlq_attempts")

        async def is_empty() -> bool:
            return await probes.reader.value("SELECT count(*) FROM probe.deliveries") == 0

        assert await until(is_empty, timeout=30), "counts of settled records are kept"

    assert sorted(effects.quarantined) == sorted(map(str, bad))
    assert sorted(row["event_id"] for row in effects.handled) == sorted(map(str, good))
    assert effects.out_of_order == 0
    assert tries == ["2", "2", "2"]
