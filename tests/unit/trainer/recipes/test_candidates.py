"""A classifier's candidates: the closed form, and fine-tuning where it falls short or is wanted."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from archon_contracts.metric_names import (
    CLOSED_FORM_ACCURACY,
    CLOSED_FORM_SECONDS,
    FINE_TUNED_ACCURACY,
    FINE_TUNED_CHOSEN,
    FINE_TUNED_SECONDS,
    RESOURCES,
)
from archon_contracts.values import AgentKind
from archon_inference.loading import load_predictor
from services.trainer.child import run
from services.trainer.closed_form import choice
from services.trainer.closed_form.learnt_items import is_estimate, load_state
from services.trainer.closed_form.statistics import STATISTICS_FILE, load_statistics
from services.trainer.errors import EmptyDataset
from services.trainer.recipes import candidates
from tests.support.training.tiny_models import tiny_encoder
from tests.support.training.training_runs import (
    REQUESTS,
    head_of,
    ignore,
    items,
    run_spec,
    train,
    write_lines,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


def test_a_second_window_leads_to_the_head_of_both_at_once(tmp_path: Path, base: Path) -> None:
    rows = items(repeat=2)
    known = [row for row in rows if row["target"] != "book_hotel"]
    new = [row for row in rows if row["target"] == "book_hotel"]
    replayed = [row | {"source": "replay"} for row in known[:3]]

    first = train(tmp_path / "one", base, known)["model_dir"]
    second = train(
        tmp_path / "two", base, [*new, *replayed], warm_start_model=first, method="continual"
    )["model_dir"]
    joint = train(tmp_path / "joint", base, rows)["model_dir"]

    ours, theirs = head_of(second), head_of(joint)
    assert ours.keys() == theirs.keys() == set(REQUESTS)
    for label, row in ours.items():
        # The vectors differ in their last bit: a text was embedded beside others.
        torch.testing.assert_close(row, theirs[label], rtol=2e-3, atol=2e-3)


def test_the_encoder_stays_the_base_models(tmp_path: Path, base: Path) -> None:
    model = train(tmp_path, base, items())["model_dir"]

    assert load_predictor(Path(model)).encoder.lower_digest()
    assert (Path(model) / STATISTICS_FILE).is_file()


def test_a_withdrawn_label_is_answered_no_more_and_comes_back(tmp_path: Path, base: Path) -> None:
    first = train(tmp_path / "one", base, items())["model_dir"]
    fewer = [label for label in sorted(REQUESTS) if label != "book_hotel"]
    rows = [row for row in items() if row["target"] != "book_hotel"]

    second = train(tmp_path / "two", base, rows, warm_start_model=first, labels=fewer)["model_dir"]
    third = train(tmp_path / "three", base, rows, warm_start_model=second, labels=sorted(REQUESTS))[
        "model_dir"
    ]

    assert set(head_of(second)) == set(fewer)
    assert set(head_of(third)) == set(REQUESTS)


def test_a_renamed_label_is_learnt_from_its_new_examples_and_the_old_ones_are_counted(
    tmp_path: Path, base: Path
) -> None:
    first = train(tmp_path / "one", base, items())["model_dir"]
    renamed = [label for label in sorted(REQUESTS) if label != "book_hotel"] + ["Book_Hotel"]
    old = [row | {"source": "replay"} for row in items() if row["target"] == "book_hotel"]
    new = [{"id": "new", "input": "a bed for tonight", "target": "Book_Hotel"}]

    second = train(tmp_path / "two", base, [*old, *new], [], warm_start_model=first, labels=renamed)

    assert set(head_of(second["model_dir"])) == set(renamed)
    assert second["metrics"]["data/unknown_targets"] == len(old)


def test_a_window_of_one_label_alone_is_learnt_and_unlearns_no_other(
    tmp_path: Path, base: Path
) -> None:
    rows = items()
    alone = [row for row in rows if row["target"] == "book_hotel"]

    first = train(tmp_path / "one", base, alone, [])["model_dir"]
    second = train(tmp_path / "two", base, alone, [], warm_start_model=first)["model_dir"]
    third = train(tmp_path / "three", base, rows, [], warm_start_model=second)["model_dir"]
    fourth = train(tmp_path / "four", base, alone, [], warm_start_model=third)["model_dir"]

    assert set(head_of(first)) == set(head_of(second)) == {"book_hotel"}
    assert set(head_of(fourth)) == set(REQUESTS)
    answers = load_predictor(Path(first)).predict(["will it rain in oslo"])
    assert [answer.output for answer in answers] == ["book_hotel"]


def test_a_run_without_a_known_label_is_empty(tmp_path: Path, base: Path) -> None:
    with pytest.raises(EmptyDataset):
        train(tmp_path, base, items(), labels=["something else"])


def test_items_of_unknown_labels_are_counted(tmp_path: Path, base: Path) -> None:
    result = train(tmp_path, base, items(), labels=["book_hotel", "get_weather"])

    assert result["metrics"]["data/unknown_targets"] == 6


def test_it_reports_start_step_and_loss(tmp_path: Path, base: Path) -> None:
    reports: list[dict[str, Any]] = []

    run(run_spec(tmp_path, base, kind="classifier", fine_tuning="never"), reports.append)

    assert [r["event"] for r in reports] == ["started", "first_step", "metrics", "metrics"]
    assert {"train/loss", "validation/accuracy"} <= reports[2]["values"].keys()


def test_fine_tuning_that_is_not_significantly_better_is_not_taken(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "SUFFICIENT_ACCURACY", {AgentKind.CLASSIFIER: 1.01})
    spec = run_spec(
        tmp_path, base, kind="classifier", fine_tuning="auto", max_steps=1, learning_rate=1e-9
    )

    result = run(spec, ignore)

    statistics = load_statistics(Path(result["model_dir"]))
    assert statistics is not None
    metrics = result["metrics"]
    assert {CLOSED_FORM_ACCURACY, FINE_TUNED_ACCURACY, FINE_TUNED_SECONDS} <= metrics.keys()
    assert metrics[FINE_TUNED_CHOSEN] == 0.0
    assert set(json.loads((tmp_path / "model" / "archon.json").read_text())["labels"]) == set(
        REQUESTS
    )


def test_a_closed_form_that_is_kept_is_described_by_its_own_figures(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "SUFFICIENT_ACCURACY", {AgentKind.CLASSIFIER: 1.01})
    alone = run(run_spec(tmp_path / "alone", base, kind="classifier", fine_tuning="never"), ignore)[
        "metrics"
    ]

    kept = run(
        run_spec(
            tmp_path / "kept", base, kind="classifier", fine_tuning="auto", learning_rate=1e-9
        ),
        ignore,
    )["metrics"]

    comparison = {
        CLOSED_FORM_ACCURACY,
        CLOSED_FORM_SECONDS,
        FINE_TUNED_ACCURACY,
        FINE_TUNED_CHOSEN,
        FINE_TUNED_SECONDS,
    }
    assert kept[FINE_TUNED_CHOSEN] == 0.0
    # What the trainings used is of both of them, and of neither's model.
    left_out = comparison | {name for name in kept | alone if name.startswith(RESOURCES)}
    own = {name: value for name, value in kept.items() if name not in left_out}
    assert own == {name: value for name, value in alone.items() if name not in left_out}


def test_a_fine_tuned_model_leaves_the_closed_form_of_the_same_items_beside_it(
    tmp_path: Path, base: Path
) -> None:
    free = run(run_spec(tmp_path / "free", base, kind="classifier", fine_tuning="never"), ignore)

    tuned = run(run_spec(tmp_path / "one", base, kind="classifier", fine_tuning="always"), ignore)

    beside = tuned["closed_form"]
    ours, theirs = head_of(beside["model_dir"]), head_of(free["model_dir"])
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(row, theirs[label]) for label, row in ours.items())
    assert load_state(Path(beside["model_dir"])) is not None
    assert (tuned["metrics"][FINE_TUNED_CHOSEN], beside["metrics"][FINE_TUNED_CHOSEN]) == (1, 0)
    assert {CLOSED_FORM_SECONDS, FINE_TUNED_SECONDS} <= beside["metrics"].keys()
    assert free["closed_form"] is None


def test_after_fine_tuning_the_closed_form_goes_on_from_the_new_encoder(
    tmp_path: Path, base: Path
) -> None:
    tuned = run(run_spec(tmp_path / "one", base, kind="classifier", fine_tuning="always"), ignore)[
        "model_dir"
    ]

    model = train(tmp_path / "two", base, items(), warm_start_model=tuned)["model_dir"]

    after, before = load_predictor(Path(model)).encoder, load_predictor(Path(tuned)).encoder
    texts = ["will it rain in oslo"]
    torch.testing.assert_close(after.embed(texts, 16), before.embed(texts, 16))


def test_the_saved_head_is_that_of_training_and_validation_items(
    tmp_path: Path, base: Path
) -> None:
    rows = items()
    kept = [row for place, row in enumerate(rows) if place % 4]

    parted = train(tmp_path / "parted", base, kept, validation=rows[::4])["model_dir"]
    whole = train(tmp_path / "whole", base, rows, validation=[])["model_dir"]

    ours, theirs = head_of(parted), head_of(whole)
    assert ours.keys() == theirs.keys()
    for label, row in ours.items():
        # The vectors differ in their last bit: a text was embedded beside others.
        torch.testing.assert_close(row, theirs[label], rtol=2e-3, atol=2e-3)


def test_a_label_whose_only_item_validation_answers_anew_is_no_longer_answered(
    tmp_path: Path, base: Path
) -> None:
    rows = [row for row in items() if row["target"] != "book_hotel"]
    only = {"id": "only", "input": "a bed for tonight", "target": "book_hotel"}
    answered_anew = only | {"id": "anew", "target": "get_weather"}

    model = train(tmp_path, base, [*rows, only], validation=[answered_anew])["model_dir"]

    assert set(head_of(model)) == set(REQUESTS) - {"book_hotel"}


def test_the_validation_figure_is_of_a_head_without_the_validation_items(
    tmp_path: Path, base: Path
) -> None:
    # One text of each label as the other label's validation item: a head that had learnt those
    # two would answer them as the validation wants.
    rows = [row for row in items() if row["target"] in ("get_weather", "book_hotel")]
    swapped = {"get_weather": "book_hotel", "book_hotel": "get_weather"}
    validation = [row | {"target": swapped[row["target"]]} for row in rows]

    result = train(tmp_path, base, rows, validation=validation)

    answers = load_predictor(Path(result["model_dir"])).predict([row["input"] for row in rows])
    learnt = [a.output == v["target"] for a, v in zip(answers, validation, strict=True)]
    assert sum(learnt) > len(rows) / 2
    assert result["metrics"]["validation/accuracy"] < 0.5


def test_a_closed_form_reads_two_layers_and_goes_on_with_the_features_it_began_with(
    tmp_path: Path, base: Path
) -> None:
    first = train(tmp_path / "one", base, items())["model_dir"]
    tuned = run(
        run_spec(tmp_path / "tuned", base, kind="classifier", fine_tuning="always"), ignore
    )["model_dir"]

    after = train(tmp_path / "two", base, items(), warm_start_model=first)["model_dir"]
    after_tuned = train(tmp_path / "three", base, items(), warm_start_model=tuned)["model_dir"]

    cards = [load_predictor(Path(each)).card for each in (first, after, tuned, after_tuned)]
    assert [card.features for card in cards] == ["layers", "layers", "pooled", "pooled"]
    assert [card.format_version for card in cards] == [2, 2, 1, 1]


def test_fine_tuning_starts_from_what_the_closed_form_answers(tmp_path: Path, base: Path) -> None:
    first = train(tmp_path / "one", base, items(repeat=2))["model_dir"]
    spec = run_spec(
        tmp_path / "two", base, kind="classifier", fine_tuning="always", learning_rate=1e-9
    )

    tuned = run(spec | {"warm_start_model": first, "method": "continual"}, ignore)["model_dir"]

    texts = [row["input"] for row in items()]
    before, after = (load_predictor(Path(each)).predict(texts) for each in (first, tuned))
    same = sum(a.output == b.output for a, b in zip(before, after, strict=True))
    assert same >= 0.8 * len(texts)


def test_answers_rated_wrong_are_learnt_beside_the_others(tmp_path: Path, base: Path) -> None:
    negatives = [{"id": "f1", "input": "a room for tonight", "rejected": ["get_weather"]}]
    write_lines(tmp_path / "dataset" / "negatives.jsonl", negatives)

    model = Path(train(tmp_path, base, items())["model_dir"])

    state = load_state(model)
    assert state is not None
    estimates = [item for item in state.items.values() if is_estimate(item)]
    assert estimates
    assert {item.ids for item in estimates} == {("f1",)}
    assert "get_weather" not in {item.target for item in estimates}


def test_a_window_of_answers_rated_wrong_alone_continues_a_version(
    tmp_path: Path, base: Path
) -> None:
    first = train(tmp_path / "one", base, items())["model_dir"]
    negatives = [{"id": "f1", "input": "a room for tonight", "rejected": ["get_weather"]}]
    write_lines(tmp_path / "two" / "dataset" / "negatives.jsonl", negatives)

    second = train(tmp_path / "two", base, [], [], warm_start_model=first, labels=sorted(REQUESTS))[
        "model_dir"
    ]

    before, after = head_of(first), head_of(second)
    assert any(not torch.equal(before[label], after[label]) for label in before)


def test_the_sums_after_fine_tuning_hold_the_validation_items_too(
    tmp_path: Path, base: Path
) -> None:
    spec = run_spec(tmp_path, base, kind="classifier", fine_tuning="always", max_steps=1)
    only = [{"id": "held", "input": "a bed for tonight", "target": "book_hotel"}]
    write_lines(tmp_path / "dataset" / "validation.jsonl", only)

    state = load_state(Path(run(spec, ignore)["model_dir"]))

    assert state is not None
    assert ("held",) in {item.ids for item in state.items.values()}


def test_one_example_of_a_new_label_is_answered_and_no_other_label_is_lost(
    tmp_path: Path, base: Path
) -> None:
    first = train(tmp_path / "one", base, items())["model_dir"]
    text = "lend me some money"
    new = [{"id": "new", "input": text, "target": "loan"}]

    # No replay at all: the memory may be smaller than the number of labels.
    second = train(
        tmp_path / "two", base, new, [], warm_start_model=first, labels=[*sorted(REQUESTS), "loan"]
    )["model_dir"]

    assert set(head_of(second)) == {*REQUESTS, "loan"}
    answers = load_predictor(Path(second)).predict([text, "area of a triangle"])
    assert [answer.output for answer in answers] == ["loan", "triangle_area"]


def test_contradicting_examples_of_one_text_leave_the_others_learnt(
    tmp_path: Path, base: Path
) -> None:
    text = REQUESTS["book_hotel"][0]
    lies = [
        {"id": f"lie {n}", "input": text, "target": target}
        for n, target in enumerate(sorted(REQUESTS))
    ]

    model = train(tmp_path, base, [*items(), *lies], [])["model_dir"]

    weights = torch.cat([row for row in head_of(model).values()])
    assert torch.isfinite(weights).all()
    (answer,) = load_predictor(Path(model)).predict(["area of a triangle"])
    assert answer.output == "triangle_area"


def test_a_replay_without_a_label_loses_it_neither_in_fine_tuning_nor_afterwards(
    tmp_path: Path, base: Path
) -> None:
    """A memory smaller than the number of labels replays none of some."""
    first = train(tmp_path / "one", base, items())["model_dir"]
    rows = [row for row in items() if row["target"] != "book_hotel"]
    spec = {"warm_start_model": first, "labels": sorted(REQUESTS)}
    tuned = run_spec(tmp_path / "two", base, kind="classifier", fine_tuning="always", max_steps=2)
    write_lines(tmp_path / "two" / "dataset" / "train.jsonl", rows)
    write_lines(tmp_path / "two" / "dataset" / "validation.jsonl", [])
    second = run(tuned | spec, ignore)["model_dir"]

    spec["warm_start_model"] = second
    third = train(tmp_path / "three", base, rows, [], **spec)["model_dir"]

    assert set(head_of(second)) == set(head_of(third)) == set(REQUESTS)
    answers = load_predictor(Path(third)).predict(REQUESTS["book_hotel"])
    assert [answer.output for answer in answers] == ["book_hotel"] * 3


def test_the_first_step_of_a_wanted_fine_tuning_does_not_wait_for_the_closed_form(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fit = candidates.fit_closed_form
    monkeypatch.setattr(
        candidates, "fit_closed_form", lambda *parts: done.append("closed form") or fit(*parts)
    )

    run(
        run_spec(tmp_path, base, kind="classifier", fine_tuning="always", max_steps=1),
        lambda report: done.append(report["event"]),
    )

    assert done[:2] == ["started", "first_step"]
    assert "closed form" in done
