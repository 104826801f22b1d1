"""Who gave an item, and whose agreement counts by itself."""

from services.data_prep.domain import Item
from services.data_prep.trust.raters import RaterGroups, rater_of
from tests.support.data.datasets import item


def given(unit: str, key: str, count: int = 1) -> list[Item]:
    return [item(f"{key} {unit} {n}", unit=unit, submitted_by=key) for n in range(count)]


def test_a_unit_of_another_key_is_another_rater() -> None:
    assert rater_of(given("ann", "a")[0]) != rater_of(given("ann", "b")[0])


def test_feedback_without_a_unit_is_that_of_its_key() -> None:
    first, second = given("", "a", 2)

    assert rater_of(first) == rater_of(second) != rater_of(given("", "b")[0])


def test_units_of_the_key_that_gives_most_are_rater_groups_and_those_of_others_are_not() -> None:
    main = [*given("ann", "a", 3), *given("bob", "a", 3)]
    other = [*given("eve", "b"), *given("eva", "b")]
    rater_groups = RaterGroups([*main, *other])

    assert len({rater_groups.rater_group_of(rater_of(one)) for one in main}) == 2
    assert len({rater_groups.rater_group_of(rater_of(one)) for one in other}) == 1


def test_where_no_key_gives_more_than_half_each_is_one_rater_group() -> None:
    items = [*given("ann", "a"), *given("bob", "a"), *given("eve", "b"), *given("eva", "b")]
    rater_groups = RaterGroups(items)

    assert len({rater_groups.rater_group_of(rater_of(one)) for one in items}) == 2


def test_annotators_are_rater_groups_by_name() -> None:
    labelled = item("a", source="human", annotators=("n", "m"))

    assert len(RaterGroups([labelled]).rater_groups_of(labelled)) == 2
