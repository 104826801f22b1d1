"""Heat maps and confusion matrices: what is in a cell, and what is left out."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.dashboard.figures.matrices import (
    LABEL,
    LEVELS,
    MAX_CLASSES,
    MAX_COLUMNS,
    MAX_ROWS,
    OTHER,
    draw_confusion,
    draw_heat_map,
    shade,
)


def estimate(value: float, reach: float = 0.1) -> dict[str, float | int]:
    return {"value": value, "low": value - reach, "high": value + reach, "n": 50}


def test_a_cell_names_its_topic_version_and_interval() -> None:
    heat_map = draw_heat_map(
        [("1.0.0", {"all": estimate(0.5)}), ("1.1.0", {"all": estimate(0.84)})]
    )

    assert heat_map is not None
    assert heat_map.cells[1].title == "all, version 1.1.0: 84.0 % (74.0 to 94.0 %, n = 50)"
    assert heat_map.cells[1].low < heat_map.cells[1].value < heat_map.cells[1].high
    assert heat_map.cells[0].level < heat_map.cells[1].level


def test_all_items_come_first_and_then_what_the_newest_version_is_worst_at() -> None:
    old = {"all": estimate(0.7), "a": estimate(0.1), "gone": estimate(0.4)}
    new = {"b": estimate(0.2), "a": estimate(0.9), "all": estimate(0.8)}

    heat_map = draw_heat_map([("1", old), ("2", new)])

    assert heat_map is not None
    assert [row.title for row in heat_map.rows] == ["all items", "b", "a", "gone"]


def test_many_versions_and_topics_are_bounded_and_counted() -> None:
    scores = {f"t{n}": estimate(n / 500) for n in range(500)}

    heat_map = draw_heat_map([(f"1.{n}.0", scores) for n in range(100)])

    assert heat_map is not None
    assert (len(heat_map.rows), len(heat_map.columns)) == (MAX_ROWS, MAX_COLUMNS)
    assert heat_map.columns[-1].title == "1.99.0"
    assert heat_map.hidden == 500 - MAX_ROWS


def test_of_nothing_there_is_no_drawing() -> None:
    assert draw_heat_map([]) is draw_heat_map([("1", {})]) is None
    assert draw_confusion([]) is None


@given(st.floats(allow_nan=False))
def test_every_proportion_has_a_shade(value: float) -> None:
    assert 0 <= shade(value) < LEVELS


def test_a_matrix_counts_right_and_wrong_answers() -> None:
    matrix = draw_confusion([("a", "a")] * 3 + [("a", "b")] + [("b", "b")] * 2)

    assert matrix is not None
    assert (matrix.items, matrix.right) == (6, 5)
    assert [(cell.count, cell.right) for cell in matrix.cells] == [(3, True), (1, False), (2, True)]
    assert matrix.cells[1].title == "a answered as b: 1 of 4 items"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1))
def test_no_item_is_lost_where_there_are_more_answers_than_fit(
    numbers: list[tuple[int, int]],
) -> None:
    matrix = draw_confusion((str(target), str(answer)) for target, answer in numbers)

    assert matrix is not None
    assert sum(cell.count for cell in matrix.cells) == len(numbers)
    assert len(matrix.rows) <= MAX_CLASSES + 1
    assert all(LABEL <= cell.x < matrix.width for cell in matrix.cells)
    if len(matrix.rows) > MAX_CLASSES:
        assert matrix.rows[-1].title == OTHER
