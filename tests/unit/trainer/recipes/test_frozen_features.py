from pathlib import Path

import torch

from archon_inference.encoder import TextEncoder
from services.trainer.recipes.frozen_features import (
    Collator,
    FrozenFeatures,
    ItemTargets,
    PlannedSampler,
)
from tests.support.training.tiny_models import tiny_encoder

TEXTS = ["rain", "will it rain in oslo", "play a song"]


def _states(folder: Path, **limits: int) -> FrozenFeatures:
    encoder = TextEncoder.load(tiny_encoder(folder), 2)
    return FrozenFeatures(encoder, encoder.tokenize(TEXTS, 16), **limits)


def test_states_are_the_same_whether_they_were_kept_or_made_again(tmp_path: Path) -> None:
    kept, remade = _states(tmp_path), _states(tmp_path, max_cache_bytes=0)

    for _ in range(2):
        for one, other in zip(kept.compute([2, 0, 2]), remade.compute([2, 0, 2]), strict=True):
            torch.testing.assert_close(one, other)


def test_kept_states_are_not_computed_again(tmp_path: Path) -> None:
    states = _states(tmp_path)

    assert states.compute([1])[0] is states.compute([0, 1])[1]


def test_the_same_states_are_made_whatever_is_asked_for_first(tmp_path: Path) -> None:
    one, other = _states(tmp_path), _states(tmp_path)

    other.compute([1, 0])

    assert all(
        torch.equal(a, b) for a, b in zip(one.compute([2, 1]), other.compute([2, 1]), strict=True)
    )


def test_a_batch_is_padded_and_names_its_rejected_targets(tmp_path: Path) -> None:
    targets = ItemTargets(indices=[5, 6, 7], weights=[1.0, 2.0, 3.0], rejected=[[], [1, 2], [3]])

    states = _states(tmp_path)

    batch = Collator(states, targets)([2, 1])

    assert batch["states_BTH"].shape == (2, 7, 16)
    assert batch["mask_BT"].sum(1).tolist() == [5, 7]
    assert batch["labels_B"].tolist() == [7, 6]
    assert batch["weights_B"].tolist() == [3.0, 2.0]
    assert batch["rejected_BR"].tolist() == [[3, -1], [1, 2]]
    assert batch["rows_B"].tolist() == [2, 1]


def test_a_batch_without_rejected_targets_has_no_column_for_them(tmp_path: Path) -> None:
    targets = ItemTargets(indices=[0, 0, 0], weights=[1.0, 1.0, 1.0], rejected=[[], [], []])

    states = _states(tmp_path)
    collate = Collator(states, targets)

    assert collate([0, 1])["rejected_BR"].shape == (2, 0)


def test_an_epoch_can_be_taken_up_in_the_middle_of_a_run() -> None:
    sampler = PlannedSampler([3, 1, 2, 0, 1, 3, 0, 2], per_epoch=4)

    sampler.set_epoch(1)

    assert list(sampler) == [1, 3, 0, 2]
