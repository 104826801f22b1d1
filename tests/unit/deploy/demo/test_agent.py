"""The agent reads requests as they are appended."""

from contextlib import aclosing
from pathlib import Path

from deploy.demo.agent import follow
from deploy.demo.client_log import ProductionRequest
from deploy.demo.traffic import Traffic


async def test_requests_are_read_in_order_and_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text("")
    traffic = Traffic(path)
    first, second = (ProductionRequest(request_id=name, input="?") for name in "ab")

    async with aclosing(follow(path)) as requests:
        traffic.send([first])
        assert await anext(requests) == first
        traffic.send([second])
        assert await anext(requests) == second


async def test_a_half_written_line_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    line = ProductionRequest(request_id="a", input="?").model_dump_json() + "\n"
    path.write_text(line[:10])

    async with aclosing(follow(path)) as requests:
        pending = anext(requests)
        with path.open("a") as file:
            file.write(line[10:])
        assert (await pending).request_id == "a"
