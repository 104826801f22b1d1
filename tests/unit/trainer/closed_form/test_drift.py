"""Items carried over a fine-tuning: where the tuned encoder would have put them."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from services.trainer.closed_form.drift import carry_over
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head

HIDDEN = 6
LABELS = ("billing", "bug", "praise")


def cloud_of(label: str, count: int) -> Tensor:
    """Unit vectors around the label's own axis."""
    place = LABELS.index(label)
    generator = torch.Generator().manual_seed(place)
    return normalize(
        3 * torch.eye(len(LABELS), HIDDEN)[place] + torch.randn(count, HIDDEN, generator=generator),
        dim=1,
    )


def state_of(vectors: dict[str, Tensor]) -> ClosedFormState:
    """One item for each vector; its text and id are its label and number."""
    items = [
        LearntItem(f"{label} {n}", label, 1.0, vector_H, (f"{label} {n}",))
        for label, of_label in vectors.items()
        for n, vector_H in enumerate(of_label)
    ]
    hidden = items[0].vector_H.shape[0]
    return ClosedFormState.empty(hidden).learn(items)


def tuned(vectors_NH: Tensor) -> Tensor:
    """What a tuned encoder made of the vectors: the first two axes changed places."""
    return vectors_NH[:, [1, 0, *range(2, HIDDEN)]]


def test_a_label_without_an_item_in_the_replay_is_still_answered_where_it_moved_to() -> None:
    before = state_of({label: cloud_of(label, 12) for label in LABELS})
    after = state_of({label: tuned(cloud_of(label, 12)) for label in ("billing", "praise")})

    carried = carry_over(before, after)

    assert carried.statistics.known(LABELS) == LABELS
    answers = fit_head(carried, LABELS)(tuned(cloud_of("bug", 12))).argmax(1).tolist()
    stayed = fit_head(carried, LABELS)(tuned(cloud_of("praise", 12))).argmax(1).tolist()
    assert (answers, stayed) == ([1] * 12, [2] * 12)


def test_a_carried_item_moves_with_those_near_it() -> None:
    old = cloud_of("billing", 40)
    before, after = state_of({"billing": old}), state_of({"billing": tuned(old[:30])})

    carried = carry_over(before, after)

    moved = torch.stack([carried.items[f"billing {n}", "billing"].vector_H for n in range(30, 40)])
    left = (moved - tuned(old[30:])).norm(dim=1).mean()
    assert left < 0.3 * (old[30:] - tuned(old[30:])).norm(dim=1).mean()


def test_items_that_are_there_again_stay_as_the_tuned_encoder_has_them() -> None:
    old = cloud_of("bug", 4)
    before, after = state_of({"bug": old}), state_of({"bug": tuned(old)})

    assert carry_over(before, after) is after


def test_a_retraction_takes_a_carried_item_out_of_the_sums() -> None:
    before = state_of({label: cloud_of(label, 5) for label in LABELS})
    after = state_of({"praise": cloud_of("praise", 5)})

    left = carry_over(before, after).unlearn(
        {f"{label} {n}" for label in ("billing", "bug") for n in range(5)}
    )

    assert left.statistics.known(LABELS) == ("praise",)
    torch.testing.assert_close(left.statistics.sum_LH.sum(0), after.statistics.sum_LH.sum(0))


def test_vectors_of_two_layers_are_carried_to_a_head_that_reads_the_last_one() -> None:
    last = {label: cloud_of(label, 8) for label in LABELS}
    layers = {label: torch.cat([torch.zeros(8, HIDDEN), v], dim=1) for label, v in last.items()}
    after = state_of({label: 5 * tuned(last[label]) for label in ("billing", "praise")})

    carried = carry_over(state_of(layers), after)

    moved = torch.stack([carried.items[f"bug {n}", "bug"].vector_H for n in range(8)])
    assert fit_head(carried, LABELS)(moved).argmax(1).tolist() == [1] * 8
    torch.testing.assert_close(moved.norm(dim=1).mean(), torch.tensor(5.0), rtol=0.3, atol=0)


def test_states_of_unlike_encoders_are_not_mixed() -> None:
    after = state_of({"bug": torch.ones(2, HIDDEN + 1)})

    assert carry_over(state_of({"bug": cloud_of("bug", 4)}), after) is after
