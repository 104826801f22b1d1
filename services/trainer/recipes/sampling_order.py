"""In which order a run sees its items: pure, so that a resumed run sees the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_BATCHES = 8


@dataclass(frozen=True, slots=True)
class SamplingStage:
    """A stretch of the run that only sees items up to a difficulty."""

    maximum_difficulty: float
    step_proportion: float


SINGLE_STAGE = (SamplingStage(maximum_difficulty=1.0, step_proportion=1.0),)


def sample_order(
    difficulties: Sequence[float], sample_count: int, stages: Sequence[SamplingStage], seed: int
) -> list[int]:
    """Row numbers in the order they are sampled, `sample_count` of them.

    Each stage samples from the items that are easy enough for it, always one that was sampled least
    often so far, ties broken at random: with one stage for all that is a new shuffle every epoch,
    and an early easy stage does not crowd out the hard items later. A stage that is too easy for
    every item samples from all.
    """
    generator = random.Random(seed)
    uses = [0] * len(difficulties)
    order: list[int] = []
    total = sum(stage.step_proportion for stage in stages)
    done = 0.0
    for stage in stages:
        done += stage.step_proportion
        # From the running sum: stages rounded one by one could miss the total by some samples.
        wanted = round(sample_count * done / total) - len(order)
        rows = [row for row, hard in enumerate(difficulties) if hard <= stage.maximum_difficulty]
        order.extend(_sample_least_used(rows or list(range(len(uses))), uses, wanted, generator))
    return order


def _sample_least_used(
    rows: list[int], uses: list[int], wanted: int, generator: random.Random
) -> list[int]:
    sampled: list[int] = []
    while len(sampled) < wanted:
        fewest = min(uses[row] for row in rows)
        tied_rows = [row for row in rows if uses[row] == fewest]
        generator.shuffle(tied_rows)
        for row in tied_rows[: wanted - len(sampled)]:
            uses[row] += 1
            sampled.append(row)
    return sampled


def bucket_by_length(
    order: Sequence[int], lengths: Sequence[int], batch_size: int, seed: int
) -> list[int]:
    """The same rows with neighbours of similar length, so that batches need little padding.

    Rows move only within a window of eight batches, which keeps the stages; the batches of a window
    are shuffled, so that length does not rise and fall with the step.
    """
    generator = random.Random(seed)
    window = batch_size * WINDOW_BATCHES
    bucketed: list[int] = []
    for start in range(0, len(order), window):
        rows = sorted(order[start : start + window], key=lambda row: lengths[row])
        batches = [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
        # A last, smaller batch stays last: elsewhere it would shift the borders of all after it.
        whole = batches[:-1] if len(batches[-1]) < batch_size else batches
        rest = batches[len(whole) :]
        generator.shuffle(whole)
        bucketed.extend(row for batch in whole + rest for row in batch)
    return bucketed
