"""The demo's real input: requests and tools of the Berkeley Function Calling Leaderboard, v4.

The data lies inside the package `bfcl-eval` (Apache-2.0), which is read as files and never
imported. Half of the tool families are *old*: the agent is trained on them before it goes into
production. The other half are *new*: it meets them there.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from archon_inference.catalogue import Tool

PACKAGE: Final = "bfcl_eval"
CATEGORIES: Final = ("live_simple", "live_multiple", "simple_python", "multiple")
HELD_OUT_FRACTION: Final = 0.30
INITIAL_FRACTION: Final = 0.55  # of the old families' requests; production gets the rest

# First words that say what a function does and not which service it belongs to.
_VERBS: Final = frozenset({
    "add", "analyze", "book", "buy", "calculate", "change", "check", "compare", "compute",
    "convert", "count", "create", "delete", "determine", "estimate", "fetch", "find", "generate",
    "get", "identify", "list", "log", "make", "order", "play", "plot", "predict", "record",
    "remove", "render", "retrieve", "search", "send", "set", "solve", "sort", "start", "stop",
    "track", "update",
})  # fmt: skip

Group = Literal["old", "new"]


class BenchmarkMissingError(Exception):
    """The package with the benchmark's data is not installed, or holds other files."""


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """One request and the tool that answers it."""

    id: str
    input: str
    target: str
    group: Group


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One split of the benchmark. No request text is in both a held-out set and any other."""

    catalogue: tuple[Tool, ...]
    old_families: frozenset[str]
    initial: tuple[BenchmarkItem, ...]
    held_out: tuple[BenchmarkItem, ...]
    production: tuple[BenchmarkItem, ...]


def load_benchmark(seed: int) -> Benchmark:
    """The benchmark, split by families and by request; another seed gives another split.

    Raises:
        BenchmarkMissingError: the message says what to install.
    """
    tools, requests = _read(_data_folder())
    generator = random.Random(seed)
    old = _sample_old_families(tools, [target for _, _, target in requests], generator)
    items = [
        BenchmarkItem(id, text, target, "old" if family_of(target) in old else "new")
        for id, text, target in requests
    ]
    initial, held_out, production = _split(items, generator)
    return Benchmark(tuple(tools), old, initial, held_out, production)


def family_of(tool: str) -> str:
    """The family of a tool: its service if its name has one, else the thing it deals with.

    `Movies_3_FindMovies` -> `movies`, `uber.ride` -> `uber`, `get_current_weather` -> `weather`.
    """
    service, dot, _ = tool.partition(".")
    if dot:
        return service.lower()
    words = [word.lower() for word in tool.split("_") if word]
    return words[-1] if words[0] in _VERBS else words[0]


def normalised(text: str) -> str:
    """A request without case, punctuation and spacing: equal texts are one request."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def _sample_old_families(
    tools: Iterable[Tool], targets: Iterable[str], generator: random.Random
) -> frozenset[str]:
    """Half of the families, sampled from pairs that are asked for about equally often.

    Twelve families get over a third of all requests, so that a plain draw would give one seed twice
    the old requests of another.
    """
    asked = Counter(family_of(target) for target in targets)
    families = sorted({family_of(tool.name) for tool in tools}, key=lambda f: (-asked[f], f))
    return frozenset(generator.choice(families[at : at + 2]) for at in range(0, len(families), 2))


def _split(
    items: Sequence[BenchmarkItem], generator: random.Random
) -> tuple[tuple[BenchmarkItem, ...], ...]:
    """Initial, held-out and production items; equal texts stay together."""
    texts: defaultdict[str, list[BenchmarkItem]] = defaultdict(list)
    for item in items:
        texts[normalised(item.input)].append(item)
    # Sorted first: the split depends on the seed alone, not on the order of the package's files.
    keys = sorted(texts)
    generator.shuffle(keys)
    old = [key for key in keys if all(item.group == "old" for item in texts[key])]
    new = [key for key in keys if any(item.group == "new" for item in texts[key])]
    initial_at, production_at = (
        _count_of(old, HELD_OUT_FRACTION),
        _count_of(old, HELD_OUT_FRACTION + INITIAL_FRACTION),
    )
    new_at = _count_of(new, HELD_OUT_FRACTION)
    production = old[production_at:] + new[new_at:]
    generator.shuffle(production)
    parts = old[initial_at:production_at], old[:initial_at] + new[:new_at], production
    return tuple(tuple(item for key in part for item in texts[key]) for part in parts)


def _count_of(keys: Sequence[str], fraction: float) -> int:
    return round(len(keys) * fraction)


def _data_folder() -> Path:
    spec = find_spec(PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    folder = Path(locations[0]) / "data" if locations else None
    if folder is None or not folder.is_dir():
        raise BenchmarkMissingError(
            "The benchmark's data is not installed; install requirements-no-deps.lock"
        )
    return folder


def _read(folder: Path) -> tuple[list[Tool], list[tuple[str, str, str]]]:
    """The catalogue, and (id, request, right tool) of each request."""
    tools: dict[str, Tool] = {}
    requests = []
    for part in CATEGORIES:
        name = f"BFCL_v4_{part}.json"
        answers = {
            row["id"]: row["ground_truth"] for row in _rows(folder / "possible_answer" / name)
        }
        for row in _rows(folder / name):
            for function in row["function"]:
                # Some tools come several times with other words; the first description counts.
                tool = Tool(function["name"], function["description"])
                tools.setdefault(tool.name, tool)
            messages = [turn["content"] for turn in row["question"][0] if turn["role"] == "user"]
            (right,) = answers[row["id"]][0]
            requests.append((row["id"], messages[-1], right))
    return list(tools.values()), requests


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise BenchmarkMissingError(
            f"{path} is missing: another version of bfcl-eval? 2026.3.23 has it"
        ) from error
    return (json.loads(line) for line in lines if line.strip())
