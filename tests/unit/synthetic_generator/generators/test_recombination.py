"""Details exchanged between examples."""

import random
import re
import time

from hypothesis import given

from services.synthetic_generator.domain import Sample
from services.synthetic_generator.generators.recombination import (
    Details,
    recombine,
    select_class_samples,
)
from tests.support.data.synthetic_generator import EXAMPLES, seeds

DETAILS = Details.of(EXAMPLES)


def test_details_are_found_by_their_kind() -> None:
    assert DETAILS.values["weekday"] == ["Friday", "Monday", "Sunday", "Tuesday"]
    assert DETAILS.values["number"] == ["2", "3", "4"]
    assert set(DETAILS.values["name"]) == {"Bern", "Lima", "Oslo", "Rome", "Turin"}


@given(seeds)
def test_a_recombined_sentence_keeps_its_answer_and_its_frame(seed: int) -> None:
    made = recombine(EXAMPLES[0], DETAILS, random.Random(seed))

    assert made.target == "restaurant"
    assert re.fullmatch(r"book a table for [234] people on [A-Z]\w+day in \w+", made.input)


def test_a_detail_that_the_answer_names_stays() -> None:
    sample = Sample("book a table in Rome", "restaurant in Rome")

    assert all(recombine(sample, DETAILS, random.Random(s)) == sample for s in range(20))


def test_where_every_input_has_an_answer_of_its_own_nothing_is_exchanged() -> None:
    sums = [Sample("what is 2 plus 3", "5"), Sample("what is 4 plus 4", "8")]

    assert select_class_samples(sums) == []
    assert select_class_samples(EXAMPLES) == list(EXAMPLES)


def test_one_input_twice_makes_no_class() -> None:
    assert select_class_samples([Sample("2 plus 3", "5"), Sample("2 Plus 3", "5")]) == []


def test_a_long_list_of_numbers_takes_linear_time() -> None:
    sample = Sample("1," * 50_000 + "1a", "a")

    start = time.perf_counter()
    Details.of([sample])

    assert time.perf_counter() - start < 5  # without a bound on the groups: minutes
