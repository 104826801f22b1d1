"""What the evaluation asks is not taught."""

from hypothesis import given

from archon_contracts.formats import SuiteItem
from services.data_prep.dedup.leakage import collect_held_out, drop_held_out
from services.data_prep.domain import Item, PreparationCounters
from tests.support.data.datasets import item, items, texts


def test_an_input_of_the_suite_is_left_out_however_it_is_written() -> None:
    held_out = collect_held_out([SuiteItem(id="1", input="Where is my parcel?")])
    counters = PreparationCounters()

    kept = drop_held_out([item("where is  MY parcel"), item("and mine")], held_out, counters)

    assert ([i.input for i in kept], counters.held_out) == (["and mine"], 1)


def test_a_suite_line_of_spaces_holds_nothing_out() -> None:
    assert collect_held_out([SuiteItem(id="1", input="  ")]) == {}


@given(items(), texts)
def test_nothing_held_out_is_kept_and_all_else_is(found: list[Item], text: str) -> None:
    held_out = collect_held_out([SuiteItem(id="1", input=text)])
    counters = PreparationCounters()

    kept = drop_held_out(found, held_out, counters)

    assert not {i.key for i in kept} & held_out.keys()
    assert len(kept) + counters.held_out == len(found)
