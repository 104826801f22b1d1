"""Answers rated wrong in a closed form: what they teach, and what a stated answer changes."""

from pathlib import Path

import torch
from torch import Tensor

from archon_contracts.events import ImplicitSignal, SignalKind
from archon_contracts.formats import TrainingItem
from archon_inference.encoding.learnt_vectors import text_digest
from services.trainer.closed_form.embedding import learnt_item
from services.trainer.closed_form.heads import LabelHeads
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    LearntItem,
    estimate_name,
    is_estimate,
    load_state,
    save_state,
)
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.closed_form.negative_feedback import learn_negatives

HIDDEN, PER_LABEL = 16, 16
LABELS = tuple("abcdefghijkl")
HEADS = LabelHeads(LABELS)


def cloud(label: str, seed: int, count: int) -> Tensor:
    """Vectors of one label, all of which lie around its own axis."""
    generator = torch.Generator().manual_seed(seed)
    centre_H = torch.eye(HIDDEN)[LABELS.index(label)] * 2
    return centre_H + torch.randn(count, HIDDEN, generator=generator) * 0.7


def known(label: str, seed: int, count: int = 1) -> list[LearntItem]:
    return [
        LearntItem(f"{label}-{seed}-{n}", label, 1.0, vector_H, (f"{label}-{seed}-{n}",))
        for n, vector_H in enumerate(cloud(label, seed, count))
    ]


def few_items() -> ClosedFormState:
    items = [item for n, label in enumerate(LABELS) for item in known(label, n)]
    return ClosedFormState.empty(HIDDEN).learn(items)


def with_right_answers(state: ClosedFormState) -> ClosedFormState:
    """The state with the requests that its head answers right, which somebody liked."""
    head, liked = fit_head(state, LABELS), list[LearntItem]()
    for place, label in enumerate(LABELS):
        for n, vector_H in enumerate(cloud(label, 100 + place, PER_LABEL)):
            if int(head(vector_H).argmax()) == place:
                liked.append(LearntItem(f"liked {label}:{n}", label, 0.5, vector_H))
    return state.learn(liked)


def rated(state: ClosedFormState) -> tuple[list[TrainingItem], Tensor]:
    """Requests that the state's head answers wrong, each with that answer; and their vectors."""
    head = fit_head(state, LABELS)
    items, vectors = list[TrainingItem](), list[Tensor]()
    for place, label in enumerate(LABELS):
        for n, vector_H in enumerate(cloud(label, 100 + place, PER_LABEL)):
            answer = LABELS[int(head(vector_H).argmax())]
            if answer != label:
                name = f"{label}:{n}"
                items.append(TrainingItem(id=name, input=name, rejected=(answer,), weight=0.5))
                vectors.append(vector_H)
    return items, torch.stack(vectors)


def accuracy(state: ClosedFormState) -> float:
    head = fit_head(state, LABELS)
    right = [
        (head(cloud(label, 200 + place, 200)).argmax(1) == place).float().mean()
        for place, label in enumerate(LABELS)
    ]
    return float(torch.stack(right).mean())


def test_answers_rated_wrong_teach_beyond_those_rated_right() -> None:
    before = few_items()
    items, vectors_NH = rated(before)
    liked = with_right_answers(before)

    after = learn_negatives(liked, items, vectors_NH, HEADS)

    assert len(items) >= 10
    assert accuracy(after) > accuracy(liked) + 0.03


def test_an_answer_rated_wrong_is_no_candidate_and_weights_are_probabilities() -> None:
    before = few_items()
    items, vectors_NH = rated(before)

    after = learn_negatives(before, items, vectors_NH, HEADS)

    estimates = [item for item in after.items.values() if is_estimate(item)]
    rejected = {item.id: item.rejected for item in items}
    assert estimates
    assert all(each.target not in rejected[each.ids[0]] for each in estimates)
    for item in items:
        weight = sum(each.weight for each in estimates if item.id in each.ids)
        assert 0 < weight <= item.weight + 1e-6


def test_a_stated_answer_replaces_the_estimates_of_its_text_whichever_came_first() -> None:
    before = few_items()
    items, vectors_NH = rated(before)
    item = TrainingItem(id="correction", input=items[0].input, target="d")
    stated = learnt_item(item, vectors_NH[0])

    later = learn_negatives(before, items[:1], vectors_NH[:1], HEADS).learn([stated])
    first = learn_negatives(before.learn([stated]), items[:1], vectors_NH[:1], HEADS)

    for state in (later, first):
        assert not any(is_estimate(each) for each in state.items.values())
        torch.testing.assert_close(
            state.statistics.sum_LH, before.learn([stated]).statistics.sum_LH
        )


def test_a_retracted_rating_leaves_the_sums() -> None:
    before = few_items()
    items, vectors_NH = rated(before)

    after = learn_negatives(before, items, vectors_NH, HEADS)
    left = after.unlearn(frozenset(item.id for item in items))

    assert left.items.keys() == before.items.keys()
    torch.testing.assert_close(left.statistics.outer_HH, before.statistics.outer_HH)


def test_nothing_is_concluded_where_every_label_was_rated_wrong_or_there_is_one() -> None:
    before = few_items()
    vector_NH = cloud("a", 5, 1)
    everything = [TrainingItem(id="x", input="x", rejected=LABELS)]

    assert learn_negatives(before, everything, vector_NH, HEADS).items == before.items
    alone = learn_negatives(before, everything, vector_NH, LabelHeads(LABELS[:1]))
    assert alone.items == before.items


def test_a_new_rating_of_a_text_replaces_what_was_estimated_of_it() -> None:
    vector_NH = cloud("l", 5, 1)
    stated = [i for n, label in enumerate(LABELS[:-1]) for i in known(label, n)]
    without = ClosedFormState.empty(HIDDEN).learn(stated)
    estimate = LearntItem(estimate_name(text_digest("x"), "l"), "l", 0.5, vector_NH[0], ("r1",))
    before = without.learn([estimate])

    for rejected in (("l",), LABELS):
        rating = [TrainingItem(id="r2", input="x", rejected=rejected)]
        after = learn_negatives(before, rating, vector_NH, HEADS)

        assert after.statistics.known(LABELS) == LABELS[:-1]
        anew = learn_negatives(without, rating, vector_NH, LabelHeads(LABELS[:-1]))
        assert after.items.keys() == anew.items.keys()


def test_the_vector_of_a_rated_text_is_known_and_its_estimates_count_as_one() -> None:
    before = few_items()
    items, vectors_NH = rated(before)

    after = learn_negatives(before, items[:1], vectors_NH[:1], HEADS)

    torch.testing.assert_close(after.vectors()[text_digest(items[0].input)], vectors_NH[0])
    assert sum(map(is_estimate, after.items.values())) > 1
    assert after.count() == before.count() + 1


def rating(name: str, *rejected: str) -> list[TrainingItem]:
    return [TrainingItem(id=name, input="x", rejected=rejected, weight=0.5)]


def estimated(state: ClosedFormState) -> set[str]:
    return {item.target for item in state.items.values() if is_estimate(item)}


def test_a_later_rating_of_a_text_does_not_bring_back_what_was_denied_before(
    tmp_path: Path,
) -> None:
    vector_NH = cloud("a", 5, 1)
    once = learn_negatives(few_items(), rating("r1", "a"), vector_NH, HEADS)
    save_state(once, tmp_path)  # the next version reads it from the folder
    stored = load_state(tmp_path)
    assert stored is not None
    second = next(iter(estimated(once)))

    twice = learn_negatives(stored, rating("r2", second), vector_NH, HEADS)

    # Alone, the second rating leaves the first denied answer as the most probable one.
    assert "a" in estimated(learn_negatives(few_items(), rating("r2", second), vector_NH, HEADS))
    assert estimated(twice)
    assert not estimated(twice) & {"a", second}


def test_a_retracted_denial_takes_the_estimates_that_it_shaped_with_it() -> None:
    vector_NH, before = cloud("a", 5, 1), few_items()
    state = learn_negatives(before, rating("r1", "a"), vector_NH, HEADS)
    state = learn_negatives(state, rating("r2", "b"), vector_NH, HEADS)

    without = state.unlearn(frozenset({"r1"}))

    assert not estimated(without)
    assert without.denied == {text_digest("x"): {"b": ("r2",)}}
    torch.testing.assert_close(without.statistics.outer_HH, before.statistics.outer_HH)
    assert not without.unlearn(frozenset({"r2"})).denied


def test_a_denial_that_somebody_else_repeated_stays_when_one_is_retracted() -> None:
    vector_NH = cloud("a", 5, 1)
    state = learn_negatives(few_items(), rating("r1", "a"), vector_NH, HEADS)
    state = learn_negatives(state, rating("r2", "a"), vector_NH, HEADS)

    left = state.unlearn(frozenset({"r1"}))

    assert estimated(left) == estimated(state) != set()
    assert left.denied == {text_digest("x"): {"a": ("r2",)}}


def test_an_invalid_answer_excludes_nothing_until_the_agent_has_it() -> None:
    vector_NH, before = cloud("a", 5, 1), few_items()

    after = learn_negatives(before, rating("r1", "invalid"), vector_NH, HEADS)

    assert after.items == before.items
    heads = LabelHeads((*LABELS, "invalid"))
    taught = after.learn([LearntItem("new", "invalid", 1.0, cloud("a", 6, 1)[0], ("new",))])
    later = learn_negatives(taught, rating("r2", "b"), vector_NH, heads)
    assert estimated(later)
    assert not estimated(later) & {"invalid", "b"}


def test_a_failure_to_answer_changes_nothing_that_is_known_of_its_text() -> None:
    vector_NH = cloud("a", 5, 1)
    before = learn_negatives(few_items(), rating("r1", "a"), vector_NH, HEADS)

    after = learn_negatives(before, rating("r2"), vector_NH, HEADS)

    assert (after.items, after.denied) == (before.items, before.denied)


def test_behaviour_alone_teaches_only_what_the_head_is_sure_of() -> None:
    """A rating makes something of the same request: it says more."""
    before = few_items()
    items, vectors_NH = rated(before)
    signal = ImplicitSignal(kind=SignalKind.UNDONE, after_seconds=3)
    undone = [item.model_copy(update={"signals": (signal,)}) for item in items]
    rating_too = [item.model_copy(update={"rating": 1.0}) for item in undone]

    def weights(state: ClosedFormState) -> list[float]:
        return [item.weight for item in state.items.values() if is_estimate(item)]

    of_undone = weights(learn_negatives(before, undone, vectors_NH, HEADS))
    of_rated = weights(learn_negatives(before, rating_too, vectors_NH, HEADS))
    assert len(of_undone) < len(of_rated)
    assert all(weight >= 0.5 * 0.5 for weight in of_undone)
