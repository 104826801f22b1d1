"""Finds, runs and records benchmarks.

A benchmark is a module `bench_NAME.py` here or in a folder below: its docstring's first line says
what it measures, its `run()` returns the figures. Figures are printed and appended to
`var/bench/results.jsonl`. `SEEDS` is the constant that other seeds replace.
`TINY` maps names of the module's constants to the sizes of a tiny run, which shows in seconds that
the benchmark still works; its figures mean nothing and are not recorded. `BROKER_CHOICE` says that
it runs on the broker of `ARCHON_TEST_BROKER`, embedded or Apache Kafka.
"""

import importlib
import json
import pkgutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

import tests.benchmarks
from deploy.local.revision import code_revision

RESULTS = Path("var/bench/results.jsonl")
PREFIX = "bench_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. `reach` is what it should reach; None where no goal is set.

    `ratio` is to what it was compared with in the same run; `spread` is the middle half's width
    (third minus first quartile) of repeated measurements, in the same unit.
    """

    name: str
    figure: float
    unit: str
    reach: float | None = None
    higher_is_better: bool = True
    ratio: float | None = None
    spread: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether it is as good as it should be; None where nothing was asked."""
        if self.reach is None:
            return None
        better = self.figure >= self.reach if self.higher_is_better else self.figure <= self.reach
        return bool(better)


def benchmarks() -> dict[str, str]:
    """What each benchmark measures, by name."""
    return {name: _first_line(module_of(name)) for name in sorted(_places())}


def module_of(name: str) -> ModuleType:
    """The module of a benchmark.

    Raises:
        KeyError: there is none of that name.
    """
    return importlib.import_module(_places()[name])


def _places() -> dict[str, str]:
    """Where each benchmark's module is, by the benchmark's name."""
    found = pkgutil.walk_packages(tests.benchmarks.__path__, f"{tests.benchmarks.__name__}.")
    names = [(each.name.rpartition(".")[2], each.name) for each in found]
    return {last.removeprefix(PREFIX): whole for last, whole in names if last.startswith(PREFIX)}


def run(name: str, *, tiny: bool = False, seeds: Sequence[int] = ()) -> list[Figure]:
    """Run one benchmark, at its tiny sizes and with other seeds if asked for.

    Raises:
        KeyError: there is none of that name, or it has no seeds.
    """
    module = module_of(name)
    measure: Callable[[], list[Figure]] = module.run
    values: Mapping[str, object] = module.TINY if tiny else {}
    with _replaced_constants(module, {**values, **({"SEEDS": tuple(seeds)} if seeds else {})}):
        return measure()


@contextmanager
def _replaced_constants(module: ModuleType, values: Mapping[str, object]) -> Iterator[None]:
    """Other values of a module's constants while the block runs."""
    # Indexing instead of `get`: a name that the module lacks must fail, not run at full size.
    before = {name: vars(module)[name] for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)


def has_broker_choice(name: str) -> bool:
    """Whether a benchmark runs on the broker of `ARCHON_TEST_BROKER`."""
    return bool(getattr(module_of(name), "BROKER_CHOICE", False))


def median(
    name: str,
    values: Sequence[float],
    *,
    reach: float | None = None,
    higher_is_better: bool = True,
    unit: str = "",
) -> Figure:
    """The median of repeated measurements as a figure, with its spread."""
    return Figure(
        name=name,
        figure=statistics.median(values),
        unit=unit,
        reach=reach,
        higher_is_better=higher_is_better,
        spread=spread_of(values),
    )


def spread_of(values: Sequence[float]) -> float | None:
    """Third minus first quartile; None of a single measurement."""
    if len(values) < 2:
        return None
    first, _, third = statistics.quantiles(values, n=4)
    return third - first


def record(
    name: str,
    figures: Sequence[Figure],
    results: Path = RESULTS,
    *,
    broker: str | None = None,
    seeds: Sequence[int] = (),
) -> None:
    """Append one JSON line per figure, with the broker where there is a choice, and seeds."""
    revision, at = code_revision(), datetime.now(UTC).isoformat(timespec="seconds")
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        for figure in figures:
            line = _line(name, figure) | ({"broker": broker} if broker else {})
            line |= {"seeds": list(seeds)} if seeds else {}
            file.write(json.dumps(line | {"revision": revision, "at": at}) + "\n")


def show(name: str, figures: Sequence[Figure], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(title=name, title_justify="left")
    for column in ("name", "figure", "unit", "reach", "reached", "ratio", "spread"):
        table.add_column(column, justify="left" if column in ("name", "unit") else "right")
    for figure in figures:
        table.add_row(
            figure.name,
            _number(figure.figure),
            figure.unit,
            _reach(figure),
            {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}[figure.reached],
            _number(figure.ratio),
            _number(figure.spread),
        )
    console.print(table)


def _line(name: str, figure: Figure) -> dict[str, Any]:
    line = {
        "benchmark": name,
        "name": figure.name,
        "figure": figure.figure,
        "unit": figure.unit,
        "reach": figure.reach,
        "reached": figure.reached,
    }
    compared = {"ratio": figure.ratio, "spread": figure.spread}
    return line | {key: value for key, value in compared.items() if value is not None}


def _reach(figure: Figure) -> str:
    if figure.reach is None:
        return "-"
    return f"{'>=' if figure.higher_is_better else '<='} {_number(figure.reach)}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n")[0]
