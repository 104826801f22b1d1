"""Finds, runs and records benchmarks.

A benchmark is a module `bench_NAME.py` here: its docstring's first line says what it measures, its
`run()` returns the figures. Figures are printed and appended to `var/bench/results.jsonl`.
`TINY` maps names of the module's constants to the sizes of a tiny run, which shows in seconds that
the benchmark still works; its figures mean nothing and are not recorded. `BROKER_CHOICE` says that
it runs on the broker of `ARCHON_TEST_BROKER`, embedded or Apache Kafka.
"""

import importlib
import json
import pkgutil
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
    names = (found.name for found in pkgutil.iter_modules(tests.benchmarks.__path__))
    mine = sorted(name for name in names if name.startswith(PREFIX))
    return {name.removeprefix(PREFIX): _first_line(_module(name)) for name in mine}


def run(name: str, *, tiny: bool = False) -> list[Figure]:
    """Run one benchmark, at its tiny sizes if asked for.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in benchmarks():
        raise KeyError(name)
    module = _module(PREFIX + name)
    measure: Callable[[], list[Figure]] = module.run
    with _replaced_constants(module, module.TINY if tiny else {}):
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
    return bool(getattr(_module(PREFIX + name), "BROKER_CHOICE", False))


def record(
    name: str, figures: Sequence[Figure], results: Path = RESULTS, *, broker: str | None = None
) -> None:
    """Append one JSON line per figure, with the broker where there is a choice."""
    revision, at = code_revision(), datetime.now(UTC).isoformat(timespec="seconds")
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a") as file:
        for figure in figures:
            line = _line(name, figure) | ({"broker": broker} if broker else {})
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


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"tests.benchmarks.{name}")


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n")[0]
