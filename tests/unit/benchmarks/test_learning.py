"""What the learning benchmarks share: parts of the data, forgetting, seeds, BM25."""

from collections.abc import Sequence

import pytest
import torch

from tests.benchmarks import harness
from tests.benchmarks.learning import bench_classifier_orders as orders
from tests.benchmarks.learning.bench_selector_stream import _Bm25
from tests.benchmarks.learning.clinc import Domain, Row, forgetting, merge, regroup
from tests.benchmarks.learning.rivals import MEMORY_PER_INTENT, FineTuned, remember


def domain(name: str, intents: int) -> Domain:
    names = tuple(f"{name} {n}" for n in range(intents))
    rows = tuple((f"{intent} {n}", intent) for n in range(4) for intent in names)
    return Domain(name, names, rows, rows[:intents], rows)


def test_forgetting_is_the_best_accuracy_of_a_domain_minus_its_last() -> None:
    history = [{"a": 0.9}, {"a": 0.95, "b": 0.8}, {"a": 0.85, "b": 0.8}]

    assert forgetting(history) == pytest.approx({"a": 0.1, "b": 0.0})


def test_tasks_hold_every_intent_once_with_all_its_rows() -> None:
    domains = [domain("a", 3), domain("b", 3)]

    tasks = regroup(domains, 2, seed=1)

    assert [len(task.intents) for task in tasks] == [2, 2, 2]
    assert sorted(row for task in tasks for row in task.train) == sorted(
        merge("all", domains).train
    )


class Recorded(FineTuned):
    """Stores what it is taught instead of training."""

    def __init__(self) -> None:
        self.seconds, self.known = 1.5, list[int]()

    def learn(self, rows: Sequence[Row], known: int) -> None:
        self.known.append(known)

    def accuracy(self, domains: Sequence[Domain]) -> dict[str, float]:
        return {domain.name: float(len(self.known)) for domain in domains}


def test_a_stream_is_scored_on_all_domains_so_far_after_each_step() -> None:
    method = Recorded()

    result = method.learn_stream([domain("a", 2), domain("b", 3)])

    assert method.known == [2, 5]
    assert result.history == ({"a": 1.0}, {"a": 2.0, "b": 2.0})
    assert result.seconds == 1.5


def test_every_method_remembers_as_many_rows_of_each_label() -> None:
    rows = [(f"{label} {n}", label) for n in range(MEMORY_PER_INTENT + 2) for label in "ab"]

    kept = remember(rows)

    first = [(f"{label} {n}", label) for label in "ab" for n in range(MEMORY_PER_INTENT)]
    assert kept == first


@pytest.mark.parametrize("order", ["_split", "_returning"])
def test_an_order_teaches_every_row_once(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    domains = [domain(name, 5) for name in "abcdefg"]
    monkeypatch.setattr(orders, "_domains", lambda _: domains)

    steps = getattr(orders, order)(0)

    taught = sorted(row for step in steps for row in step.train)
    assert taught == sorted(merge("all", domains).train)
    assert len(steps) > len(domains)


def test_a_benchmark_in_a_folder_is_found_and_runs_with_the_seeds_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = harness.module_of("classifier_orders")
    seen: list[int] = []

    def run() -> list[harness.Figure]:
        seen.extend(module.SEEDS)
        return []

    monkeypatch.setattr(module, "run", run)

    harness.run("classifier_orders", seeds=[7])

    assert seen == [7]
    assert 7 not in module.SEEDS


@pytest.mark.parametrize("name", sorted(harness.benchmarks()))
def test_a_benchmark_that_reads_public_data_names_its_file(name: str) -> None:
    module = harness.module_of(name)

    # Where the file is absent, the tiny run is then skipped with the reason, instead of failing.
    if {"read_domains", "read_intents"} & vars(module).keys():
        assert hasattr(module, "DATA_FILE")


def test_bm25_prefers_the_rare_word_that_request_and_text_share() -> None:
    texts = ["get the weather of a city", "get the price of a stock", "get the time of a city"]

    assert _Bm25(texts).best("what is the stock doing") == 1


def test_rivals_answer_only_labels_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.benchmarks.learning.rivals import RIVALS, LowerStates

    class Encoder:
        hidden_size = 4
        upper = torch.nn.Identity()

    class States(LowerStates):
        encoder = Encoder()  # type: ignore[assignment]

        def __init__(self) -> None:
            """Nothing is loaded."""

        def batch(self, texts: object) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
            return (torch.eye(4)[[int(str(t)) % 4 for t in texts]],)  # type: ignore[attr-defined]

    rows = [(str(n), f"l{n % 4}") for n in range(16)]
    for rival in RIVALS:
        model = rival(States(), ["l0", "l1", "l2", "l3"], 0, epochs=20, learning_rate=0.1)
        model.learn([row for row in rows if row[1] in ("l0", "l1")], 2)
        first = model.accuracy([Domain("all", (), (), (), tuple(rows))])["all"]
        model.learn([row for row in rows if row[1] in ("l2", "l3")], 4)
        new = tuple(row for row in rows if row[1] in ("l2", "l3"))

        assert first == pytest.approx(0.5), rival.name
        assert model.accuracy([Domain("new", (), (), (), new)])["new"] == 1.0, rival.name
