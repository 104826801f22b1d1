"""`python -m tests.benchmarks.revisions NAME REVISION` compares a benchmark with another revision.

Runs it alternately in this tree and in a temporary checkout of REVISION, with the packages that are
installed here, and prints the medians of the figures that both have. The order changes with every
round. What is uncommitted in this tree takes part; nothing is recorded.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

HERE: Final = Path(__file__).parents[2]
IMPORTED: Final = (".", "contracts", "contracts/inference")
"""Folders of a tree that come before its installed packages."""
RUN: Final = """
import json, sys
from dataclasses import asdict
from tests.benchmarks.harness import run
print(json.dumps([asdict(figure) for figure in run(sys.argv[1])]))
"""

Figures = dict[str, float]


def main(arguments: Sequence[str]) -> int:
    """Measure both, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.revisions")
    parser.add_argument("name")
    parser.add_argument("revision")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each (default 2)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="archon-revision-") as folder:
        check_out(chosen.revision, Path(folder))
        trees = {chosen.revision: Path(folder), "this tree": HERE}
        found = alternate(trees, chosen.rounds, lambda tree: measure(chosen.name, tree))
    Console().print(compare(chosen.name, found))
    return 0


def check_out(revision: str, folder: Path) -> None:
    """The revision's files, without git's own.

    Raises:
        CalledProcessError: there is no such revision.
    """
    archive = subprocess.run(
        ("git", "archive", revision), cwd=HERE, check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    # This tree is installed too: a folder without an `__init__` would be one package with its
    # namesake here, or lose against it, wherever it stands on the path.
    for module in list(folder.rglob("*.py")):
        for package in (module.parent, module.parent.parent):
            if package != folder and folder in package.parents:
                (package / "__init__.py").touch()


def measure(name: str, tree: Path) -> Figures:
    """The benchmark's figures, run in a process of its own by the tree's own code.

    Raises:
        CalledProcessError: it ends with an error there; what it printed went to stderr.
    """
    path = os.pathsep.join(str(tree / each) for each in IMPORTED)
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}
    printed = subprocess.run(
        (sys.executable, "-c", RUN, name),
        cwd=tree,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    figures: list[dict[str, Any]] = json.loads(printed.splitlines()[-1])
    return {each["name"]: each["figure"] for each in figures}


def alternate(
    trees: Mapping[str, Path], rounds: int, measure_tree: Callable[[Path], Figures]
) -> dict[str, list[Figures]]:
    """Each tree's figures of every round; the order of the trees changes with each."""
    found: dict[str, list[Figures]] = {name: [] for name in trees}
    for number in range(rounds):
        for name in list(trees) if number % 2 == 0 else reversed(list(trees)):
            found[name].append(measure_tree(trees[name]))
    return found


def medians(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def compare(title: str, found: Mapping[str, Sequence[Figures]]) -> Table:
    """The figures that both trees have, and the second's proportion of the first's."""
    (first, earlier), (second, later) = ((name, medians(rounds)) for name, rounds in found.items())
    table = Table("figure", first, second, "ratio", title=title, title_justify="left")
    for name, before in earlier.items():
        if name in later:
            ratio = f"{later[name] / before:.3f}" if before else "-"
            table.add_row(name, f"{before:.4g}", f"{later[name]:.4g}", ratio)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
