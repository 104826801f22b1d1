"""Label errors on CLINC150 with flipped labels: finding them, reviewing them, weighing them down.

What wrong labels cost is shown by a logistic regression on TF-IDF; labels of training rows are
flipped, accuracy is of the test rows. The way of ranking was chosen on the seeds 100 to 102, which
are not reported.
"""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline

from services.data_prep.quality.label_errors import LabelRank, rank_label_errors
from services.data_prep.text import normalise_input
from tests.benchmarks.data.clinc_rows import DATA_FILE as DATA_FILE
from tests.benchmarks.data.clinc_rows import LabelledRow, flip_labels, read_clinc
from tests.benchmarks.harness import Figure

SEEDS, FLIPPED, OTHER_FLIPPED, ROWS, WEIGHT = (0, 1, 2), 0.1, (0.0, 0.05, 0.2), None, 0.25
TINY = {"SEEDS": (0,), "OTHER_FLIPPED": (0.0,), "ROWS": 600}


def run() -> list[Figure]:
    """F1 of the suspects, accuracy regained by review, and accuracy with lower weights."""
    train, test = read_clinc("train", most=ROWS), read_clinc("test", most=ROWS)
    keys = [normalise_input(row.text) for row in train]
    clean = _accuracy(train, [row.label for row in train], test)
    scores, regained, gains = [], [], []
    for seed in SEEDS:
        given, flipped = flip_labels(train, FLIPPED, seed)
        rank = _require(rank_label_errors(keys, given))
        scores.append(_score(set(rank.suspects), flipped))
        noisy = _accuracy(train, given, test)
        reviewed = _review(rank, given, train, FLIPPED)
        loss = max(clean - noisy, 1 / len(test))
        regained.append((_accuracy(train, reviewed, test) - noisy) / loss)
        weights = numpy.ones(len(train))
        weights[rank.suspects] = WEIGHT
        gains.append(_accuracy(train, given, test, weights) - noisy)
    return [
        Figure(
            name="F1 of suspects, 10 % flipped",
            figure=statistics.mean(scores),
            unit="F1",
            reach=0.85,
        ),
        Figure(
            name="accuracy regained by review",
            figure=statistics.mean(regained),
            unit="of the loss",
            reach=0.8,
        ),
        Figure(name="least gain of lower weights", figure=min(gains), unit="accuracy", reach=0.0),
        *_other_proportions(train, keys),
    ]


def _goal(name: str, figure: float, unit: str, reach: float) -> Figure:
    return Figure(name=name, figure=figure, unit=unit, reach=reach)


def _other_proportions(train: Sequence[LabelledRow], keys: Sequence[str]) -> list[Figure]:
    """The estimated proportion of wrong labels at other true ones, on the first seed."""
    figures = []
    for proportion in OTHER_FLIPPED:
        given, _ = flip_labels(train, proportion, SEEDS[0])
        rank = _require(rank_label_errors(keys, given))
        name = f"estimate at {proportion:.0%} flipped"
        figures.append(Figure(name=name, figure=rank.proportion, unit="proportion"))
    return figures


def _require(rank: LabelRank | None) -> LabelRank:
    if rank is None:
        raise RuntimeError("there are too few rows to rank")
    return rank


def _score(suspects: set[int], flipped: set[int]) -> float:
    """F1 of a set of suspects."""
    return 2 * len(suspects & flipped) / (len(suspects) + len(flipped))


def _review(
    rank: LabelRank, given: Sequence[str], rows: Sequence[LabelledRow], proportion: float
) -> list[str]:
    """The labels after a person has put right those ranked first."""
    order = sorted(range(len(given)), key=lambda at: (rank.margins[at], at))
    seen = set(order[: round(proportion * len(order))])
    return [row.label if at in seen else given[at] for at, row in enumerate(rows)]


def _accuracy(
    train: Sequence[LabelledRow],
    labels: Sequence[str],
    test: Sequence[LabelledRow],
    weights: Any = None,
) -> float:
    """Accuracy on the test rows of a model trained with these labels."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        SGDClassifier(loss="log_loss", alpha=2e-5, max_iter=8, tol=None, random_state=0),
    )
    model.fit([row.text for row in train], labels, sgdclassifier__sample_weight=weights)
    answers = model.predict([row.text for row in test])
    return float(numpy.mean([a == row.label for a, row in zip(answers, test, strict=True)]))
