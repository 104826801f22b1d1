"""What the demo's second agent learns first, and what it is corrected on."""

from collections import defaultdict
from dataclasses import dataclass

from deploy.demo.bfcl import Benchmark, family_of, normalised

KNOWN = ("weather", "music", "hotels", "movies", "homes", "cmd")
UNKNOWN = ("payment", "alarm")
PER_TOPIC, SUITE_PER_TOPIC = 10, 6


@dataclass(frozen=True, slots=True)
class RouterItems:
    """Items of the router: to learn first, to be evaluated on, and one correction per new topic."""

    first: list[dict[str, str]]
    suite: list[dict[str, str]]
    corrections: dict[str, str]


def choose_items(benchmark: Benchmark) -> RouterItems:
    """The same items for every seed: a correction must not depend on it."""
    texts: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in (*benchmark.initial, *benchmark.held_out, *benchmark.production):
        texts[_topic_of(item.target)].setdefault(normalised(item.input), item.input)
    chosen = {topic: [texts[topic][key] for key in sorted(texts[topic])] for topic in texts}
    suite = {topic: chosen[topic][:SUITE_PER_TOPIC] for topic in (*KNOWN, *UNKNOWN)}
    first = {topic: chosen[topic][SUITE_PER_TOPIC : SUITE_PER_TOPIC + PER_TOPIC] for topic in KNOWN}
    return RouterItems(
        first=[{"input": t, "target": topic} for topic in KNOWN for t in first[topic]],
        suite=[
            {"id": f"{topic}-{n}", "input": t, "target": topic, "group": topic}
            for topic, inputs in suite.items()
            for n, t in enumerate(inputs)
        ],
        corrections={topic: chosen[topic][SUITE_PER_TOPIC] for topic in UNKNOWN},
    )


def _topic_of(tool: str) -> str:
    return family_of(tool).partition("_")[0]
