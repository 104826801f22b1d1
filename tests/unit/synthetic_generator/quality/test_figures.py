"""Figures of what was made."""

import numpy as np
import pytest

from services.synthetic_generator.domain import Candidate, Method, Sample
from services.synthetic_generator.generation import generate
from services.synthetic_generator.quality.diversity import WordPairNovelty
from services.synthetic_generator.quality.figures import (
    mean_difficulty,
    measure,
    self_bleu,
    vendi_score,
)
from tests.support.data.synthetic_generator import generation_request


@pytest.mark.parametrize(
    ("gram", "score"),
    [(np.ones((4, 4)), 1.0), (np.eye(4), 4.0), (np.kron(np.eye(2), np.ones((3, 3))), 2.0)],
)
def test_the_vendi_score_counts_what_is_distinct(gram: np.ndarray, score: float) -> None:
    assert vendi_score(gram) == pytest.approx(score)


def test_equal_texts_have_the_largest_self_bleu_and_a_single_one_none() -> None:
    same = ["where is my parcel now please"] * 3
    other = ["where is my parcel now please", "the sun is low and red today", "no milk, thank you"]

    assert self_bleu(same) == pytest.approx(100)
    assert (self_bleu(other) or 0) < 20
    assert self_bleu(other[:1]) is None


def test_harder_requests_score_harder_by_the_curriculum_s_function() -> None:
    scores = [
        mean_difficulty(
            [
                c.sample
                for c in generate(generation_request(count=40, difficulty=each), ()).accepted
            ],
            None,
        )
        for each in ("easy", "medium", "hard")
    ]

    assert scores == sorted(set(scores))


def test_what_the_deployed_version_answers_wrong_is_harder() -> None:
    samples = [Sample("where is it", "a"), Sample("is it there", "a")]

    assert mean_difficulty(samples, [True, True]) > mean_difficulty(samples, [False, False])


def test_nothing_has_no_figures_and_one_item_has() -> None:
    one = [Candidate(Sample("where is it", "a"), Method.TEMPLATE)]
    quality = measure(one, (), 0.5)

    assert measure([], (), 0.5) is None
    assert quality is not None
    assert (quality.vendi, quality.self_bleu, quality.privacy) == (pytest.approx(1.0), None, None)


def test_the_text_with_most_new_word_pairs_is_chosen() -> None:
    novelty = WordPairNovelty()
    novelty.add("where is my parcel")
    taken: set[tuple[str, ...]] = set()

    first = novelty.choose(["where is my parcel", "the lamp broke"], taken)
    second = novelty.choose(["the lamp broke", "where is my lamp"], taken)

    assert (first, second) == (1, 1)
