from pathlib import PurePosixPath

import pytest

from tests.house.source_tree import Source
from tests.house.vocabulary import DATED_NOTES, ELSEWHERE, ORDINARY, TERMS, Term
from tests.house.words import find_words, split_identifier

TALLY = Term(word="tally", replacement="counters", names=r"\btally\b", prose=r"\btally\b")


def words_in(path: str, text: str, *terms: Term) -> list[tuple[str, int]]:
    hits = find_words([Source(PurePosixPath(path), text)], terms or TERMS)
    return [(hit.word, hit.line) for hit in hits]


def test_identifiers_are_split_at_underscores_and_capitals() -> None:
    assert split_identifier("AgentQueue.take_next_HTTPBody2") == "agent queue take next http body 2"


@pytest.mark.parametrize(
    "text",
    [
        "class AgentTally: ...",
        "agent_tally = 1",
        "a = 1  # the tally of an agent",
        "'''The tally.'''",
        "log('tally_updated')",
        "log(f'the tally of {x}')",
    ],
)
def test_a_word_is_found_in_names_comments_docstrings_and_texts(text: str) -> None:
    assert words_in("services/a.py", text, TALLY) == [("tally", 1)]


def test_a_word_is_found_in_the_name_of_a_file() -> None:
    assert words_in("services/tally.py", "", TALLY) == [("tally", 0)]


def test_a_word_is_found_in_sql_names_and_comments() -> None:
    assert words_in("services/q.sql", "SELECT tally\n-- the tally\n", TALLY) == [
        ("tally", 1),
        ("tally", 2),
    ]


def test_code_blocks_of_a_page_are_not_searched() -> None:
    text = "A tally and `Tally`.\n```sh\ntally\n```\n"

    assert words_in("README.md", text, TALLY) == [("tally", 1), ("tally", 1)]


def test_a_part_of_a_longer_word_is_not_found() -> None:
    assert words_in("services/a.py", "totally = 1", TALLY) == []


def test_ordinary_phrases_are_not_found() -> None:
    text = "'''Held-out items warm up by a fair share; a warm start turns it on.'''"

    assert words_in("services/data_prep/a.py", text) == []


def test_a_word_is_looked_for_in_its_folders_alone() -> None:
    text = "a = 1  # a record that is held"

    assert words_in("services/data_prep/a.py", text) == [("held", 1)]
    assert words_in("shared/a.py", text) == []


def test_pages_about_the_words_are_left_out() -> None:
    assert words_in(f"{DATED_NOTES[0]}a.md", "tally", TALLY) == []


def test_every_exception_has_a_reason() -> None:
    reasons = [*ORDINARY.values(), *(r for files in ELSEWHERE.values() for r in files.values())]

    assert all(reasons)
    assert set(ELSEWHERE) <= {term.word for term in TERMS}
