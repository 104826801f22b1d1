"""Items of datasets: search, and what is shown of them."""

import json

from services.gateway.dashboard.samples import (
    MAX_TEXT_SHOWN,
    SAMPLES_SHOWN,
    find_samples,
    to_sample,
)


def lines(*items: object) -> bytes:
    return b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in items)


def item(number: int, target: str = "a", **fields: object) -> dict[str, object]:
    return {"id": f"i{number}", "input": f"text {number}", "target": target} | fields


def test_a_search_finds_any_case_and_counts_what_it_finds() -> None:
    content = lines(*(item(n, "Refund" if n % 2 else "other") for n in range(100)))

    page = find_samples(content, " REFUND ", 25)

    assert (page.found, page.total, len(page.samples)) == (50, 100, SAMPLES_SHOWN)
    assert page.samples[0].name == "i51"


def test_a_search_takes_quotes_and_other_alphabets_as_text() -> None:
    content = lines(item(1, input='say "hello" \\ path'), item(2, input="Überweisung مرحبا 🦊"))

    assert [find_samples(content, text, 0).found for text in ('"hello"', "\\ path")] == [1, 1]
    assert [find_samples(content, text, 0).found for text in ("Überweisung", "🦊", "(.*")] == [
        1,
        1,
        0,
    ]


def test_what_nobody_doubts_is_not_listed_and_long_texts_are_cut() -> None:
    sample = to_sample(lines(item(1, input="x" * 5000, weight=1.0, trust=0.2, unit="")))

    assert sample.facts == (("trust", "0.2"),)
    assert len(sample.text) == MAX_TEXT_SHOWN + 1


def test_a_line_that_is_no_item_is_shown_and_does_not_fail() -> None:
    assert to_sample(b"{").facts == (("fault", "not JSON"),)
    assert to_sample(b"[1]").facts == (("fault", "no object"),)
    assert to_sample(b"\xff").facts == (("fault", "not JSON"),)
