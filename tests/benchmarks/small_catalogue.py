"""A part of the tool catalogue, for tiny runs: embedding all of it is most of their time."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from deploy.demo.bfcl import Benchmark, BenchmarkItem


def limit_tools(benchmark: Benchmark, count: int | None) -> Benchmark:
    """Keep the `count` tools that are asked for most, and their requests; None keeps all."""
    if count is None:
        return benchmark
    requests = (*benchmark.initial, *benchmark.held_out, *benchmark.production)
    asked = Counter(item.target for item in requests)
    # The name decides between equals, so that every run has the same tools.
    kept = set(sorted(asked, key=lambda name: (-asked[name], name))[:count])

    def of(items: Iterable[BenchmarkItem]) -> tuple[BenchmarkItem, ...]:
        return tuple(item for item in items if item.target in kept)

    return replace(
        benchmark,
        catalogue=tuple(tool for tool in benchmark.catalogue if tool.name in kept),
        initial=of(benchmark.initial),
        held_out=of(benchmark.held_out),
        production=of(benchmark.production),
    )
