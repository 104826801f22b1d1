"""BFCL's tool families in five steps of corrections: our selector recipe beside what costs nothing.

A fifth of the families is never taught. The others come in five steps, each with its requests as
corrections and half as many replayed items, by the product's recipe without services and gate.
Beside it: the base model without training, training on everything at once, BM25 over the tools'
texts, the mean of the requests that used a tool, and that mean added to the tool's own vector
(Tool2Vec's idea, Moon et al. 2024) under the frozen encoder.
"""

from __future__ import annotations

import math
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archon_inference.base_models import resolve_base_model
from archon_inference.catalogue import Tool, write_catalogue
from archon_inference.encoder import TextEncoder
from archon_inference.loading import load_predictor
from archon_inference.selector import embed_tools
from deploy.demo.bfcl import BenchmarkItem, family_of, load_benchmark
from tests.benchmarks.bench_selector_recipe import train_selector
from tests.benchmarks.harness import Figure, median
from tests.benchmarks.learning.clinc import BASE_MODEL, FROZEN_LAYERS, Vectors, unit
from tests.benchmarks.small_catalogue import limit_tools

SEEDS, STEPS = (0, 1, 2), 5
NEVER_TAUGHT, REPLAY_RATIO = 0.2, 0.5
MAXIMUM_TOKENS, TOOL_TOKENS = 128, 32
CONFIG: dict[str, Any] = {}
TOOLS: int | None = None
HELD_OUT_STRIDE = 1
REQUEST_STRIDE = 1
"""Distance of the requests that are learnt; 1 takes all."""
TINY = {
    "SEEDS": (0,),
    "STEPS": 2,
    "CONFIG": {"max_steps": 2},
    "TOOLS": 16,
    "REQUEST_STRIDE": 4,
    "HELD_OUT_STRIDE": 10,
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One split: the steps' requests, and the held-out ones of taught and never taught families."""

    tools: tuple[Tool, ...]
    steps: tuple[tuple[BenchmarkItem, ...], ...]
    taught: tuple[BenchmarkItem, ...]
    unseen: tuple[BenchmarkItem, ...]

    @property
    def corrections(self) -> list[BenchmarkItem]:
        """Of all steps."""
        return [item for step in self.steps for item in step]


Scores = tuple[float, float]
"""Top-1 on held-out requests of taught families, and of those that are never taught."""


def run() -> list[Figure]:
    """Every method once per seed; figures are medians over the seeds."""
    found = [_run_seed(seed) for seed in SEEDS]
    figures = []
    for name in found[0]:
        for place, group in enumerate(("taught", "never taught")):
            values = [each[name][place] for each in found]
            figures.append(median(f"{name}: top-1, {group} families", values))
    return [
        *figures,
        median(
            "ours below joint training, taught families",
            [each["joint training"][0] - each["ours"][0] for each in found],
            reach=0.01,
            higher_is_better=False,
        ),
        median(
            "ours below the base model, never taught families",
            [each["base model"][1] - each["ours"][1] for each in found],
            reach=0.0,
            higher_is_better=False,
        ),
        median(
            "ours below the best free one, taught families",
            [max(each[n][0] for n in FREE) - each["ours"][0] for each in found],
            reach=0.0,
            higher_is_better=False,
        ),
    ]


FREE = ("BM25", "mean of requests", "description and mean of requests")


def _run_seed(seed: int) -> dict[str, Scores]:
    stream = read_stream(seed, TOOLS, REQUEST_STRIDE, HELD_OUT_STRIDE)
    found = _free(stream)
    with tempfile.TemporaryDirectory(prefix="archon-bench-") as name:
        root = Path(name)
        write_catalogue(root / "catalogue.json", stream.tools)
        began = time.perf_counter()
        newest: Path | None = None
        earlier: list[BenchmarkItem] = []
        for place, step in enumerate(stream.steps):
            replayed = random.Random(seed).sample(
                earlier, min(len(earlier), round(REPLAY_RATIO * len(step)))
            )
            newest = train(root, f"step-{place}", newest, step, replayed, seed, CONFIG)
            earlier += step
            print(f"seed {seed}, step {place}: {score(newest, stream)}", flush=True)
        assert newest is not None
        found["ours"] = score(newest, stream)
        print(f"seed {seed}: {time.perf_counter() - began:.0f} s for the steps", flush=True)
        joint = train(root, "joint", None, stream.corrections, [], seed, CONFIG)
        found["joint training"] = score(joint, stream)
    for name, scores in found.items():
        print(f"seed {seed}, {name}: {scores[0]:.4f} {scores[1]:.4f}", flush=True)
    return found


def read_stream(seed: int, tools: int | None, request_stride: int, held_out_stride: int) -> Stream:
    """One split of the benchmark into steps; a stride takes every so many requests."""
    benchmark = limit_tools(load_benchmark(seed), tools)
    generator = random.Random(seed)
    families = sorted({family_of(tool.name) for tool in benchmark.catalogue})
    generator.shuffle(families)
    never = set(families[: round(NEVER_TAUGHT * len(families))])
    step_of = {family: place % STEPS for place, family in enumerate(families)}
    steps: list[list[BenchmarkItem]] = [[] for _ in range(STEPS)]
    for item in (*benchmark.initial, *benchmark.production)[::request_stride]:
        family = family_of(item.target)
        if family not in never:
            steps[step_of[family]].append(item)
    held_out = benchmark.held_out[::held_out_stride]
    return Stream(
        benchmark.catalogue,
        tuple(tuple(step) for step in steps),
        tuple(item for item in held_out if family_of(item.target) not in never),
        tuple(item for item in held_out if family_of(item.target) in never),
    )


def train(
    root: Path,
    name: str,
    before: Path | None,
    new: Sequence[BenchmarkItem],
    replayed: Sequence[BenchmarkItem],
    seed: int,
    config: dict[str, Any],
) -> Path:
    """Train a version on new and replayed requests, from the version before or the base model."""
    rows = [{"id": i.id, "input": i.input, "target": i.target} for i in new]
    rows += [
        {"id": f"r-{i.id}", "input": i.input, "target": i.target, "source": "replay"}
        for i in replayed
    ]
    settings = {"seed": seed, "threads": torch.get_num_threads(), "config": config}
    return Path(train_selector(root, name, before, rows, settings)["model_dir"])


def score(version: Path, stream: Stream) -> Scores:
    """Top-1 of a version on the held-out requests."""
    model = load_predictor(version)

    def right(items: Sequence[BenchmarkItem]) -> float:
        answers = model.predict([item.input for item in items], k=1) if items else []
        return _fraction([a.output == i.target for a, i in zip(answers, items, strict=True)])

    return right(stream.taught), right(stream.unseen)


def _free(stream: Stream) -> dict[str, Scores]:
    """What needs no training."""
    encoder = TextEncoder.load(resolve_base_model(BASE_MODEL, None), FROZEN_LAYERS)
    described: Vectors = embed_tools(encoder, stream.tools, TOOL_TOKENS).numpy()
    places = {tool.name: place for place, tool in enumerate(stream.tools)}

    def embed(items: Sequence[BenchmarkItem]) -> Vectors:
        vectors: Vectors = encoder.embed([item.input for item in items], MAXIMUM_TOKENS).numpy()
        return unit(vectors)

    sums = np.zeros_like(described)
    for vector, item in zip(embed(stream.corrections), stream.corrections, strict=True):
        sums[places[item.target]] += vector
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    means: Vectors = np.divide(sums, length, out=np.zeros_like(sums), where=length > 0)
    groups = (stream.taught, stream.unseen)
    requests = [embed(items) if items else described[:0] for items in groups]

    def scores(tools: Vectors) -> Scores:
        first, second = (
            _fraction(
                [a == places[i.target] for a, i in zip((r @ tools.T).argmax(1), g, strict=True)]
            )
            for r, g in zip(requests, groups, strict=True)
        )
        return first, second

    lexical = _Bm25([tool.text for tool in stream.tools])
    by_words = [
        _fraction([lexical.best(item.input) == places[item.target] for item in items])
        for items in groups
    ]
    return {
        "base model": scores(described),
        "BM25": (by_words[0], by_words[1]),
        "mean of requests": scores(means),
        "description and mean of requests": scores(unit(described + means)),
    }


class _Bm25:
    """Okapi BM25 with its usual constants: Robertson and Zaragoza 2009."""

    def __init__(self, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> None:
        self._counts = [Counter(_words(text)) for text in texts]
        documents = Counter(word for counts in self._counts for word in counts)
        self._rarity = {
            word: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for word, n in documents.items()
        }
        lengths = [sum(counts.values()) for counts in self._counts]
        average = statistics.fmean(lengths)
        self._k1, self._norms = k1, [k1 * (1 - b + b * length / average) for length in lengths]

    def best(self, request: str) -> int:
        """The place of the best text; the first of equals."""
        words = set(_words(request))
        scores = [
            sum(
                self._rarity[word] * counts[word] * (self._k1 + 1) / (counts[word] + norm)
                for word in words & counts.keys()
            )
            for counts, norm in zip(self._counts, self._norms, strict=True)
        ]
        return max(range(len(scores)), key=scores.__getitem__)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _fraction(right: Sequence[bool]) -> float:
    return sum(map(bool, right)) / len(right) if right else 0.0
