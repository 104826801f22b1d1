"""The agent's ledger."""

from pathlib import Path

from deploy.demo.client_log import Entry, append, entries, feedback_ids, served_by_digest


def entry(request_id: str, digest: str, event_id: str | None = None) -> Entry:
    return Entry(
        request_id=request_id, input="?", answer="!", version="1.0.0", digest=digest,
        feedback_event_id=event_id,
    )  # fmt: skip


def test_entries_are_read_as_written_and_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with path.open("a") as file:
        append(file, entry("a", "x"))
        file.write('{"request_id": "b"')

    assert entries(path) == [entry("a", "x")]


def test_a_ledger_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert entries(tmp_path / "none.jsonl") == []


def test_answers_are_counted_per_digest_and_feedback_by_id() -> None:
    ledger = [entry("a", "x", "1"), entry("b", "y"), entry("c", "y", "2")]

    assert served_by_digest(ledger) == {"x": 1, "y": 2}
    assert feedback_ids(ledger) == ["1", "2"]
