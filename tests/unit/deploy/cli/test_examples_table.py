"""A user's CSV: what is read, what is refused and why, and how it is split."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli.errors import CommandError
from deploy.cli.first_steps.examples_table import (
    INPUT_NAMES,
    LABEL_NAMES,
    CsvTable,
    LabelledText,
    choose_examples,
    read_csv,
    split,
    to_items,
)

GOOD = "text,label\n" + "".join(f"{word} {n},{word}\n" for word in "ab" for n in range(10))


def table_of(folder: Path, content: str | bytes) -> CsvTable:
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_a_mark_and_quotes_are_understood(tmp_path: Path, delimiter: str) -> None:
    rows = [f"text{delimiter}label", f'"a{delimiter} ""b""\nc"{delimiter}x', "", f"ü{delimiter}y"]

    table = table_of(tmp_path, b"\xef\xbb\xbf" + "\r\n".join(rows).encode())

    assert table.columns == ("text", "label")
    assert [row for _, row in table.rows] == [(f'a{delimiter} "b"\nc', "x"), ("ü", "y")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("   \n\n", "is empty"),
        ("text\na\n", "one column, 'text'"),
        ("text,text\na,b\n", "two columns named 'text'"),
        ("text,label\na,b\nc\n", "line 3: 1 cells"),
        ("text,label\na,b,c\n", "line 2: 3 cells"),
        ('text,label\n"a"b,c\n', "line 2"),
        ('text,label\n"a,b\n', "check its quotes"),
        (b"text,label\na,b\nM\xfcller,c\n", "line 3: byte 0xfc is no UTF-8"),
        (b"\xff\xfet\x00e\x00", "is no UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        table_of(tmp_path, content)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is no file"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(CommandError, match="is no file"):
        read_csv(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace("label", "kind"), "no column 'label' for --label; it has: text, kind"),
        ("text,label\na,x\n", "1 rows with an input and a label; 8"),
        ("text,label\n" + "".join(f"a {n},x\n" for n in range(9)), "one label, 'x'"),
        ("text,label\n" + "".join(f"a {n},x {n}\n" for n in range(9)), "is --label the column"),
        (GOOD + "a 1,b\n", "labels 'a 1' as 'a' and as 'b'"),
    ],
)
def test_rows_that_teach_nothing_are_refused(tmp_path: Path, content: str, words: str) -> None:
    table = table_of(tmp_path, content)

    with pytest.raises(CommandError, match=words):
        split(table, choose_examples(table, "text", "label"))


def test_a_column_cannot_be_both(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="must differ"):
        choose_examples(table_of(tmp_path, GOOD), "text", "text")


def test_columns_are_guessed_by_their_names_and_of_two_by_their_places(tmp_path: Path) -> None:
    named = table_of(tmp_path, "Id,Intent,Text\n" + "1,a,b\n")
    odd = table_of(tmp_path, "frage,thema\na,b\n")
    many = table_of(tmp_path, "id,frage,thema\n1,a,b\n")

    assert named.guess(INPUT_NAMES, otherwise=0) == "Text"
    assert named.guess(LABEL_NAMES, otherwise=1) == "Intent"
    assert (odd.guess(INPUT_NAMES, otherwise=0), odd.guess(LABEL_NAMES, otherwise=1)) == (
        "frage",
        "thema",
    )
    assert many.guess(INPUT_NAMES, otherwise=0) is None


@given(
    st.dictionaries(st.text("abcdefgh", min_size=1), st.sampled_from("xyz"), min_size=10),
    st.randoms(use_true_random=False),
)
def test_a_split_holds_each_row_once_and_does_not_depend_on_their_order(
    rows: dict[str, str], random: object
) -> None:
    examples = [LabelledText(*row) for row in rows.items()]
    table = CsvTable(Path("t"), ("a", "b"), tuple((0, (e.input, e.label)) for e in examples))
    if len(set(rows.values())) < 2:
        return
    mixed = list(examples)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    found, again = split(table, examples), split(table, mixed)

    assert found == again
    assert sorted((*found.training, *found.held_out), key=str) == sorted(examples, key=str)
    assert {e.label for e in found.training} == set(rows.values())
    for label in set(rows.values()):
        of_label = [e for e in found.held_out if e.label == label]
        count = sum(each == label for each in rows.values())
        assert len(of_label) == (max(round(count * 0.2), 1) if count > 1 else 0)


def test_repeated_and_empty_rows_are_counted(tmp_path: Path) -> None:
    table = table_of(tmp_path, GOOD + "a 1,a\n,b\nc,\n")

    found = split(table, choose_examples(table, "text", "label"))

    assert found.skipped == 3
    items = to_items(found.held_out, with_ids=True)
    assert [item["id"] for item in items] == [f"row-{n}" for n in range(4)]
    assert {item["group"] for item in items} == {"a", "b"}
