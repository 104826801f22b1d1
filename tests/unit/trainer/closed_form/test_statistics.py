"""The closed-form head: independent of order, exact when items are taken out, never singular."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from services.trainer.closed_form.statistics import (
    STATISTICS_FILE,
    ClassStatistics,
    fit_linear_discriminant,
    load_statistics,
    save_statistics,
)

LABELS = ("billing", "bug", "praise")


def vectors(count: int, seed: int, hidden: int = 6) -> tuple[Tensor, list[str]]:
    """Three clouds that overlap a little."""
    generator = torch.Generator().manual_seed(seed)
    targets = [LABELS[n % 3] for n in range(count)]
    centres = torch.eye(3, hidden) * 3
    points = torch.randn(count, hidden, generator=generator)
    return points + torch.stack([centres[LABELS.index(t)] for t in targets]), targets


def statistics_of(points: Tensor, targets: list[str]) -> ClassStatistics:
    return ClassStatistics.of(points, targets, [1.0] * len(targets))


@given(st.integers(1, 29), st.integers(0, 99))
def test_two_windows_give_the_head_of_all_items_at_once(cut: int, seed: int) -> None:
    points, targets = vectors(30, seed)

    first = statistics_of(points[:cut], targets[:cut])
    both = first.plus(statistics_of(points[cut:], targets[cut:]))

    joint = fit_linear_discriminant(statistics_of(points, targets), LABELS)
    for one, other in zip(fit_linear_discriminant(both, LABELS), joint, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@given(st.integers(1, 20), st.integers(0, 99))
def test_removed_items_leave_the_head_of_a_fit_without_them(removed: int, seed: int) -> None:
    points, targets = vectors(40, seed)
    gone = statistics_of(points[:removed], targets[:removed])

    left = statistics_of(points, targets).plus(gone, sign=-1.0)

    without = fit_linear_discriminant(statistics_of(points[removed:], targets[removed:]), LABELS)
    for one, other in zip(fit_linear_discriminant(left, LABELS), without, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_with_many_items_it_decides_as_scikit_learns_discriminant_does() -> None:
    points, targets = vectors(3_000, seed=1)
    weight, bias = fit_linear_discriminant(statistics_of(points, targets), LABELS)
    reference = LinearDiscriminantAnalysis(priors=[1 / 3] * 3, solver="lsqr")
    reference.fit(points.numpy(), targets)

    ours = [LABELS[place] for place in (points @ weight.T + bias).argmax(1).tolist()]

    assert np.mean(reference.predict(points.numpy()) == np.array(ours)) > 0.995


def test_one_item_of_each_label_is_the_nearest_class_mean() -> None:
    points = torch.eye(3, 6)

    weight, bias = fit_linear_discriminant(statistics_of(points, list(LABELS)), LABELS)

    assert torch.isfinite(weight).all()
    assert (points @ weight.T + bias).argmax(1).tolist() == [0, 1, 2]


def test_equal_vectors_of_one_label_do_not_make_it_singular() -> None:
    points = torch.ones(5, 4)

    weight, bias = fit_linear_discriminant(statistics_of(points, ["bug"] * 5), ("bug",))

    assert torch.isfinite(weight).all()
    assert torch.isfinite(bias).all()


def test_a_withdrawn_label_can_come_back_without_its_items() -> None:
    points, targets = vectors(30, seed=3)
    statistics = statistics_of(points, targets)

    without = statistics.known(("billing", "praise"))
    again = statistics.known((*LABELS, "never seen"))

    assert without == ("billing", "praise")
    assert again == LABELS
    assert fit_linear_discriminant(statistics, without)[0].shape == (2, 6)


def test_a_weight_counts_as_so_many_items() -> None:
    points, targets = vectors(9, seed=4)
    doubled = ClassStatistics.of(points, targets, [2.0] * 9)

    twice = statistics_of(torch.cat([points, points]), targets * 2)

    torch.testing.assert_close(doubled.sum_LH, twice.sum_LH)
    torch.testing.assert_close(doubled.outer_HH, twice.outer_HH)


def test_statistics_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    statistics = statistics_of(*vectors(12, seed=5))

    save_statistics(statistics, tmp_path)
    read = load_statistics(tmp_path)

    assert read is not None
    assert read.labels == statistics.labels
    torch.testing.assert_close(read.outer_HH, statistics.outer_HH, rtol=0, atol=0)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x00" * 64])
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATISTICS_FILE).write_bytes(content)

    assert load_statistics(tmp_path) is None
    assert load_statistics(tmp_path / "missing") is None


@pytest.mark.parametrize("units", [3, 64])
def test_a_singular_covariance_gives_a_finite_head_that_is_right(units: int) -> None:
    """Fewer items than units, and all of them on one line."""
    points = torch.outer(torch.tensor([1.0, 2.0, 10.0, 11.0]), torch.ones(units))
    targets = ["billing", "billing", "bug", "bug"]
    labels = ("billing", "bug")

    weight, bias = fit_linear_discriminant(statistics_of(points, targets), labels)

    assert torch.isfinite(weight).all()
    assert (points @ weight.T + bias).argmax(1).tolist() == [0, 0, 1, 1]
