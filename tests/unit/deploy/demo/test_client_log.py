"""The agent's client_log."""

from pathlib import Path

from deploy.demo.client_log import (
    AnswerRecord,
    append_line,
    feedback_ids,
    read_answers,
    served_by_digest,
)


def entry(request_id: str, digest: str, event_id: str | None = None) -> AnswerRecord:
    return AnswerRecord(
        request_id=request_id, input="?", answer="!", version="1.0.0", digest=digest,
        feedback_event_id=event_id,
    )  # fmt: skip


def test_entries_are_read_as_written_and_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "client_log.jsonl"
    with path.open("a") as file:
        append_line(file, entry("a", "x"))
        file.write('{"request_id": "b"')

    assert read_answers(path) == [entry("a", "x")]


def test_a_missing_client_log_is_empty(tmp_path: Path) -> None:
    assert read_answers(tmp_path / "none.jsonl") == []


def test_answers_are_counted_per_digest_and_feedback_by_id() -> None:
    client_log = [entry("a", "x", "1"), entry("b", "y"), entry("c", "y", "2")]

    assert served_by_digest(client_log) == {"x": 1, "y": 2}
    assert feedback_ids(client_log) == ["1", "2"]
