"""Uploaded items and their names."""

import json

import pytest

from archon_contracts.values import ArtifactRef
from services.gateway.datasets import (
    MAX_ITEMS,
    Datasets,
    catalogue_file,
    check_suite,
    items_file,
    read_lines,
)
from services.gateway.errors import Conflict, Invalid
from services.gateway.http.validation import MAX_ERRORS_REPORTED
from services.gateway.requests import CatalogueEntry
from tests.support.gateway.service_store import InMemoryServiceStore

ONE, OTHER = (ArtifactRef(uri=f"file:///{c}", digest=c * 64) for c in "ab")


async def register(datasets: Datasets, artifact: ArtifactRef, purpose: str = "training") -> None:
    await datasets.register(None, "t", name="d", purpose=purpose, items=1, artifact=artifact)


async def test_the_same_name_and_content_again_is_the_same_dataset() -> None:
    named = InMemoryServiceStore()
    datasets = Datasets(named)

    await register(datasets, ONE)
    await register(datasets, ONE)

    assert len(await named.datasets(None, "t")) == 1


async def test_a_dataset_name_with_other_content_is_a_conflict() -> None:
    datasets = Datasets(InMemoryServiceStore())
    await register(datasets, ONE)

    with pytest.raises(Conflict, match="other content"):
        await register(datasets, OTHER)
    with pytest.raises(Conflict, match="exists for training"):
        await register(datasets, ONE, "evaluation")


def test_items_become_lines_with_ids() -> None:
    items = [{"input": "q", "target": "t"}, {"id": "x", "input": "r", "target": "u", "group": "g"}]

    content = items_file(items)["items.jsonl"]

    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["id"] for line in lines] == ["0", "x"]
    assert lines[1]["group"] == "g"


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        ([{"input": "q"}], "items[0].target"),
        ([{"input": "q", "target": "t"}, {"target": "t"}], "items[1].input"),
        ([{"id": 3, "input": "q", "target": "t"}], "items[0].id"),
        ([{"id": "1", "input": "q", "target": "t"}, {"input": "q", "target": "t"}], "items[1].id"),
    ],
)
def test_an_unusable_item_is_named(items: list[dict[str, object]], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        items_file(items)

    assert refused.value.errors[0].field == field


@pytest.mark.parametrize("value", [{"b": [10**18], "a": None}, 10**18, [[[1]]]])
def test_a_structured_input_is_kept_as_text(value: object) -> None:
    content = items_file([{"input": value, "target": "b"}])["items.jsonl"]

    assert json.loads(json.loads(content)["input"]) == value


def nested(depth: int) -> list[object]:
    made: list[object] = [1]
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("field", "value"), [("input", nested(100_000)), ("weight", 0), ("rating", 9)]
)
def test_a_field_that_is_not_valid_is_named(field: str, value: object) -> None:
    good = {"input": "a", "target": "b"}

    with pytest.raises(Invalid) as refused:
        items_file([good, good | {field: value}])

    assert [error.field for error in refused.value.errors] == [f"items[1].{field}"]


def test_blank_lines_are_skipped() -> None:
    assert read_lines(b'{"a": 1}\n\n  \n{"a": 2}') == [{"a": 1}, {"a": 2}]


def test_a_line_that_is_no_object_is_named_by_its_number() -> None:
    with pytest.raises(Invalid) as refused:
        read_lines(b'{"a": 1}\nnot json\n[1]')

    assert [error.field for error in refused.value.errors] == ["line 2", "line 3"]


def test_a_catalogue_keeps_its_order() -> None:
    entries = [CatalogueEntry(name=name, description="d") for name in ("b", "a")]

    content = catalogue_file(entries)["catalogue.json"]

    assert [entry["name"] for entry in json.loads(content)] == ["b", "a"]


def test_no_more_errors_are_kept_than_are_reported() -> None:
    body = b"{}\n" * 150_000

    with pytest.raises(Invalid) as refused:
        items_file(read_lines(body))

    assert len(refused.value.errors) == MAX_ERRORS_REPORTED


def test_lines_are_not_read_beyond_the_errors_that_are_reported() -> None:
    with pytest.raises(Invalid) as refused:
        read_lines(b"nonsense\n" * 500_000)

    assert len(refused.value.errors) == MAX_ERRORS_REPORTED
    assert refused.value.errors[-1].field == f"line {MAX_ERRORS_REPORTED}"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}\n" * (MAX_ITEMS + 1), f"line {MAX_ITEMS + 1}"),
        (b'{"input":[' + b"{}," * 400_000 + b"0]}", "line 1"),
    ],
)
def test_more_items_or_elements_than_can_be_checked_in_time_are_refused(
    body: bytes, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read_lines(body)

    assert [error.field for error in refused.value.errors] == [field]


def _suite(*targets: str) -> bytes:
    items = [{"id": f"i{n}", "input": f"q{n}", "target": each} for n, each in enumerate(targets)]
    return items_file(items)["items.jsonl"]


def test_a_suite_that_asks_for_none_of_the_agents_answers_is_refused() -> None:
    with pytest.raises(Invalid, match="targets are 'bill', 'crash', answers 'bug', 'praise'"):
        check_suite(_suite("crash", "bill"), {"bug", "praise"})


def test_what_a_suite_asks_for_beyond_the_agents_answers_is_listed_item_by_item() -> None:
    suite = _suite("bug", "bill", "crash", "bill")

    assert [(each.target, each.items, each.ids) for each in check_suite(suite, {"bug", "x"})] == [
        ("bill", 2, ["i1", "i3"]),
        ("crash", 1, ["i2"]),
    ]
    assert check_suite(suite, {"bug", "bill", "crash"}) == []


@pytest.mark.parametrize("target", ["Bug report", "bug-report", "BUG_REPORT", "bugreport"])
def test_another_spelling_of_an_answer_is_refused_with_the_item_and_both_spellings(
    target: str,
) -> None:
    with pytest.raises(Invalid) as refused:
        check_suite(_suite("praise", target), {"praise", "bug_report", "other"})

    (error,) = refused.value.errors
    assert "'i1'" in error.message
    assert repr(target) in error.message
    assert "'bug_report'" in error.message


def test_two_answers_that_differ_in_spelling_alone_are_both_answers() -> None:
    assert check_suite(_suite("Bug", "bug"), {"Bug", "bug"}) == []


def test_what_is_listed_of_a_large_suite_is_bounded() -> None:
    found = check_suite(_suite("bug", *(f"t{n % 100}" for n in range(5_000))), {"bug", "x"})

    assert len(found) == MAX_ERRORS_REPORTED
    assert all(len(each.ids) == MAX_ERRORS_REPORTED for each in found)


@pytest.mark.parametrize("field", ["input", "target"])
@pytest.mark.parametrize(
    "unseen", [" ", "\n\t", "\x00", "\u200b", "\ufeff\u00ad", "\u00a0", "\u2028"]
)
def test_an_item_whose_text_nobody_sees_is_refused(field: str, unseen: str) -> None:
    with pytest.raises(Invalid) as refused:
        items_file([{"input": "q", "target": "a"} | {field: unseen}])

    assert [error.field for error in refused.value.errors] == [f"items[0].{field}"]


@pytest.mark.parametrize("value", [0, False, {"a": 1}, "\u0301", "0", "\U0001f600"])
def test_any_other_value_is_a_text_of_its_item(value: object) -> None:
    assert items_file([{"input": value, "target": value}])
