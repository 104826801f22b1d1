"""The whole way from sources to a dataset, without files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.formats import Split, TrainingItem
from archon_contracts.values import AgentKind, ArtifactRef, TrustPolicy
from services.data_prep.dataset_writer import collect_feedback_ids
from services.data_prep.domain import (
    PreparationPolicy,
    PreparedDataset,
    RejectedDataset,
    Targets,
)
from services.data_prep.pipeline import (
    PreparationInputs,
    compute_split_shares,
    prepare,
    refuse_untestable,
)
from services.data_prep.service import DataPrepService
from tests.support.data.datasets import (
    REF,
    annotations,
    item,
    items,
    plan,
    preparation_inputs,
    prepare_dataset,
    record,
    records,
)
from tests.support.data.raters import memory, rated

POLICY = PreparationPolicy()


def keys_of(prepared: PreparedDataset) -> dict[Split, set[str]]:
    return {name: {g.item.key for g in part} for name, part in prepared.splits.items()}


@st.composite
def materials(draw: st.DrawFn) -> PreparationInputs:
    found = draw(records())
    return preparation_inputs(
        found,
        command=prepare_dataset(plan=plan(draw(st.floats(0, 1))), seed=draw(st.integers(0, 99))),
        memory=draw(items()),
        held_out={i.key: frozenset({i.target}) for i in draw(items(maximum=5))},
    )


@given(materials())
def test_no_input_is_in_two_parts_and_no_held_out_input_in_any(given_: PreparationInputs) -> None:
    result = prepare(given_, POLICY)

    if isinstance(result, PreparedDataset):
        keys = keys_of(result)
        assert sum(len(part) for part in keys.values()) == len(set().union(*keys.values()))
        assert not set().union(*keys.values()) & given_.held_out.keys()
        assert keys[Split.TRAIN]


@given(materials())
def test_every_line_is_accounted_for(given_: PreparationInputs) -> None:
    quality = prepare(given_, POLICY).quality

    new = sum(n for source, n in quality.by_source.items() if source != "replay")
    left_out = quality.unusable + quality.duplicates + quality.conflicting + quality.held_out
    left_out += quality.quarantined
    assert quality.quarantined == sum(quality.quarantined_by_reason.values())
    assert quality.received == new + left_out
    assert quality.kept == sum(quality.by_source.values())


@given(materials())
def test_only_training_replays_and_never_more_than_planned(given_: PreparationInputs) -> None:
    result = prepare(given_, POLICY)

    if isinstance(result, PreparedDataset):
        new = sum(g.item.source != "replay" for part in result.splits.values() for g in part)
        replayed = [g for part in result.splits.values() for g in part if g.item.source == "replay"]
        assert len(replayed) <= round(new * given_.command.plan.replay_ratio)
        assert set(replayed) <= set(result.splits[Split.TRAIN])


def test_what_is_held_is_neither_learned_nor_kept_out_of_sight() -> None:
    flood = [record(f"{n} same thing", id=f"f{n}", target="b", unit="eve") for n in range(4)]
    command = prepare_dataset(trust=TrustPolicy(near_duplicates=1))
    policy = PreparationPolicy(near_duplicate_threshold=0.5)

    result = prepare(preparation_inputs(flood, command=command), policy)

    assert isinstance(result, PreparedDataset)
    quarantined = {one.id for one in result.quarantined}
    assert (result.quality.quarantined, result.quality.quarantined_by_reason) == (
        3,
        {"repeated": 3},
    )
    assert len(quarantined) == 3
    assert quarantined.isdisjoint(collect_feedback_ids(result))


@pytest.mark.parametrize(
    ("count", "validation", "suite", "refused"),
    [(5, 0.15, None, True), (5, 0.9, None, True), (40, 0.15, None, False), (5, 0.15, REF, False)],
)
def test_a_dataset_that_leaves_nothing_to_test_with_is_refused_before_training(
    count: int, validation: float, suite: ArtifactRef | None, refused: bool
) -> None:
    command = prepare_dataset(validation_proportion=validation, evaluation_suite=suite)
    found = [record(f"question {n} {n * 7919:x}", target="b") for n in range(count)]
    inputs = preparation_inputs(found, command=command)
    prepared = prepare(inputs, POLICY)
    assert isinstance(prepared, PreparedDataset)

    rejected = refuse_untestable(inputs, POLICY, prepared)

    assert (rejected is not None) == refused
    if rejected is not None:
        assert rejected.reason.startswith(f"{count} items with {validation:.0%} for validation")
        assert "validation.split" in rejected.reason


def test_no_item_that_a_version_was_trained_on_tests_a_later_one_of_other_seed_and_split() -> None:
    service = DataPrepService(None, None, None, POLICY, b"secret")
    found = [record(f"question {n} {n * 7919:x}", target="ab"[n % 2]) for n in range(200)]

    def parts(seed: int, validation: float) -> dict[Split, set[str]]:
        command = prepare_dataset(seed=seed, validation_proportion=validation)
        seeds = service.derive_seeds(command)
        result = prepare(preparation_inputs(found, command=command, seeds=seeds), POLICY)
        assert isinstance(result, PreparedDataset)
        return keys_of(result)

    first = parts(0, 0.15)

    for seed, validation in ((1, 0.15), (0, 0.4), (7, 0.9), (3, 0.0)):
        later = parts(seed, validation)
        assert later[Split.TEST] == first[Split.TEST]
        assert not later[Split.TEST] & first[Split.TRAIN]


def test_a_window_that_only_contradicts_is_refused_with_the_reason() -> None:
    lies = rated("cancel", "refund", "eve")
    window = [record(i.input, id=i.id, target=i.target, unit=i.unit) for i in lies]

    result = prepare(preparation_inputs(window, memory=memory()), POLICY)

    assert isinstance(result, RejectedDataset)
    assert "8 not trusted (8 outlier)" in result.reason
    assert result.quality.quarantined == 8


FAST_PATH = prepare_dataset(
    trust=TrustPolicy(contradicted_weight=0.0), fast_path=True, evaluation_suite=REF
)
"""The command of an update, as the coordinator makes it."""


def correction(target: str, answer: str) -> TrainingItem:
    """One correction of a request that rightly belongs to `target`."""
    (found,) = rated(target, answer, "key:agent", count=1)
    return record(found.input, id=found.id, target=answer, unit=found.unit)


def test_one_lie_about_what_is_known_is_kept_out_of_an_update() -> None:
    lie = preparation_inputs([correction("cancel", "refund")], command=FAST_PATH, memory=memory())

    result = prepare(lie, POLICY)

    assert isinstance(result, RejectedDataset)
    assert result.reason == ("none of 1 items can be trained on: 1 not trusted (1 contested)")


@pytest.mark.parametrize(("target", "answer"), [("cancel", "cancel"), ("invoice", "invoice")])
def test_one_correction_that_contradicts_nothing_is_an_update(target: str, answer: str) -> None:
    inputs = preparation_inputs([correction(target, answer)], command=FAST_PATH, memory=memory())

    result = prepare(inputs, POLICY)

    assert isinstance(result, PreparedDataset)
    assert [graded.item.target for graded in result.splits[Split.TRAIN]] == [answer]
    assert not result.splits[Split.VALIDATION]


@given(materials())
def test_equal_material_gives_equal_datasets(given_: PreparationInputs) -> None:
    assert prepare(given_, POLICY) == prepare(given_, POLICY)


def test_replay_is_balanced_over_targets() -> None:
    memory = [item(f"old {t} number {n * 7919}", t) for t in "abcd" for n in range(40)]
    new = [record(f"new question {n * 7919}", target="new") for n in range(80)]

    result = prepare(
        preparation_inputs(new, command=prepare_dataset(plan=plan(0.5)), memory=memory), POLICY
    )

    assert isinstance(result, PreparedDataset)
    replayed = [g.item.target for g in result.splits[Split.TRAIN] if g.item.source == "replay"]
    assert {target: replayed.count(target) for target in "abcd"} == dict.fromkeys("abcd", 10)


def test_old_items_alone_are_no_dataset() -> None:
    result = prepare(
        preparation_inputs([], command=prepare_dataset(plan=plan(1.0)), memory=[item("old")]),
        POLICY,
    )

    assert isinstance(result, RejectedDataset)
    assert result.reason == "the sources hold no items"


def test_feedback_that_was_retracted_is_left_out_and_counted() -> None:
    found = [record("a", id="1", target="x"), record("b", id="2", target="y")]

    result = prepare(preparation_inputs(found, erased_feedback_ids=frozenset({"1"})), POLICY)

    assert isinstance(result, PreparedDataset)
    assert set().union(*keys_of(result).values()) == {"b"}
    assert result.unusable == {"retracted": 1}


def test_sources_that_the_suite_nearly_asks_are_no_dataset() -> None:
    question = "could you please tell me where my parcel from last monday has been delivered to"
    found = [record(question.replace("parcel", "parcle"), target="status")]

    result = prepare(preparation_inputs(found, held_out={question: frozenset({"status"})}), POLICY)

    assert isinstance(result, RejectedDataset)
    assert (result.quality.held_out, result.quality.kept) == (1, 0)


def test_a_refusal_names_every_reason() -> None:
    found = [record("a", rating=1, actual="x"), record("b", target="c")]
    command = prepare_dataset(kind=AgentKind.GENERATOR)

    result = prepare(
        preparation_inputs(found, command=command, held_out={"b": frozenset({"c"})}), POLICY
    )

    assert isinstance(result, RejectedDataset)
    assert result.reason == (
        "none of 2 items can be trained on: "
        "1 disliked without a correction, 1 in the evaluation suite or nearly so"
    )


@pytest.mark.parametrize(
    ("fields", "shares"),
    [
        ({}, {Split.VALIDATION: 0.15, Split.TEST: 0.15}),
        ({"evaluation_suite": REF}, {Split.VALIDATION: 0.1}),
        ({"evaluation_suite": REF, "validation_proportion": 0.3}, {Split.VALIDATION: 0.3}),
        ({"evaluation_suite": REF, "fast_path": True}, {}),
    ],
)
def test_a_suite_tests_so_that_the_dataset_need_not(
    fields: dict[str, object], shares: dict[Split, float]
) -> None:
    assert compute_split_shares(prepare_dataset(**fields), POLICY) == shares


def test_remembered_items_of_a_tool_that_is_gone_are_not_replayed() -> None:
    result = prepare(
        preparation_inputs(
            [record(f"new question {n * 7919}", target="kept") for n in range(10)],
            command=prepare_dataset(plan=plan(1.0)),
            memory=[item("an old question", "gone")],
            targets=Targets(frozenset({"kept"})),
        ),
        POLICY,
    )

    assert isinstance(result, PreparedDataset)
    assert "replay" not in result.quality.by_source


def test_what_was_replayed_or_made_up_is_not_learned_again() -> None:
    result = prepare(
        preparation_inputs(
            [record(f"where is parcel number {n * 7919} now", target="status") for n in range(20)],
            command=prepare_dataset(plan=plan(0.5)),
            memory=[item(f"an old question {n * 31}", "refund") for n in range(20)],
        ),
        PreparationPolicy(augmentation_share=0.5),
    )

    assert isinstance(result, PreparedDataset)
    assert {i.source for i in result.learned} == {"feedback"}
    assert result.quality.by_source.keys() == {"feedback", "replay", "synthetic"}


def test_answers_in_free_words_are_parted_without_regard_to_targets() -> None:
    found = [record(f"question {n * 7919}", target=f"answer {n}") for n in range(100)]

    result = prepare(
        preparation_inputs(found, command=prepare_dataset(kind=AgentKind.GENERATOR)), POLICY
    )

    assert isinstance(result, PreparedDataset)
    assert result.counts == {"train": 70, "validation": 15, "test": 15}


def test_agreement_of_annotators_is_reported() -> None:
    found: list[TrainingItem] = [
        record("a", annotations=annotations("x", "x")),
        record("b", annotations=annotations("y", "y")),
        record("c", annotations=annotations("x", "y", "y")),
    ]

    result = prepare(preparation_inputs(found), POLICY)

    assert isinstance(result, PreparedDataset)
    assert result.agreement["units"] == 3
    assert 0 < (result.agreement["alpha"] or 0) < 1


def test_a_withdrawal_by_subtraction_teaches_nothing() -> None:
    command = prepare_dataset(withdrawal=True, fast_path=True)

    prepared = prepare(preparation_inputs([], command=command, memory=memory("refund")), POLICY)

    assert isinstance(prepared, PreparedDataset)
    assert not any(prepared.splits.values())
    assert prepared.learned == ()


def test_a_withdrawal_from_the_base_model_trains_on_all_that_is_remembered() -> None:
    known = memory("refund", "invoice", each=20)
    command = prepare_dataset(
        withdrawal=True, rehearse=True, evaluation_suite=REF, test_proportion=0.0
    )

    prepared = prepare(preparation_inputs([], command=command, memory=known), POLICY)

    assert isinstance(prepared, PreparedDataset)
    keys = keys_of(prepared)
    assert set().union(*keys.values()) == {item.key for item in known}
    assert keys[Split.VALIDATION]
    # Nothing of it is new: it enters no memory a second time, and guards no later version.
    assert (prepared.learned, prepared.reference_candidates) == ((), ())


def test_a_withdrawal_after_which_nothing_is_left_says_what_to_do() -> None:
    command = prepare_dataset(withdrawal=True, rehearse=True)

    rejected = prepare(preparation_inputs([], command=command), POLICY)

    assert isinstance(rejected, RejectedDataset)
    assert "send feedback" in rejected.reason
