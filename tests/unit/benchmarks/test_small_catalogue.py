"""A small catalogue keeps the tools that are asked for most, with their requests alone."""

from archon_inference.catalogue import Tool
from deploy.demo.bfcl import Benchmark, BenchmarkItem
from tests.benchmarks.small_catalogue import limit_tools

OFTEN, SELDOM, NEVER = "often.ask", "seldom.ask", "never.ask"


def _item(number: int, target: str) -> BenchmarkItem:
    return BenchmarkItem(f"i{number}", f"request {number}", target, "old")


def _benchmark() -> Benchmark:
    return Benchmark(
        catalogue=tuple(Tool(name, "does it") for name in (NEVER, SELDOM, OFTEN)),
        old_families=frozenset({"often"}),
        initial=(_item(0, OFTEN), _item(1, SELDOM)),
        held_out=(_item(2, OFTEN),),
        production=(_item(3, SELDOM), _item(4, OFTEN)),
    )


def test_no_limit_keeps_everything() -> None:
    assert limit_tools(_benchmark(), None) == _benchmark()


def test_requests_for_other_tools_go_with_them() -> None:
    small = limit_tools(_benchmark(), 1)

    assert [tool.name for tool in small.catalogue] == [OFTEN]
    assert [item.id for item in small.initial] == ["i0"]
    assert [item.id for item in small.held_out] == ["i2"]
    assert [item.id for item in small.production] == ["i4"]
