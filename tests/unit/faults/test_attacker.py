"""The attacker of H1: a run in which it did nothing says why, and it begins at once."""

import socket
import time
from pathlib import Path

from tests.faults.workload.attacker import attacker
from tests.faults.workload.hostile import HostileTenant


async def test_an_attacker_that_ends_is_reported_with_what_it_printed(tmp_path: Path) -> None:
    async with attacker("http://localhost:no-port", "key", tmp_path / "answers.json") as attack:
        began = await attack.began(timeout=50)
        problems = attack.find_problems()
    assert not began
    assert len(problems) == 1
    assert "the attacker ended with status 1" in problems[0]
    assert problems[0].endswith("Invalid port: 'no-port'")


async def test_an_attacker_notes_what_it_was_answered_while_it_goes_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with attacker(f"http://127.0.0.1:{port}", "key", tmp_path / "answers.json") as attack:
        began = await attack.began(timeout=50)
        problems = attack.find_problems()
    assert began
    assert problems == []
    assert attack.read().statuses["policies"][0] > 0


def test_the_clients_of_all_attacks_cost_little_to_make() -> None:
    tenant = HostileTenant("http://127.0.0.1:1", "key")
    before = time.process_time()
    clients = [tenant._client() for _ in range(50)]
    assert time.process_time() - before < 0.5
    assert len(clients) == 50
