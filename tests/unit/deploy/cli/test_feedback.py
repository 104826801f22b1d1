"""Files of feedback: read in any locale, checked before anything is sent, safe to send again."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.cli.commands import feedback as command
from deploy.gateway_client import ApiError

GOOD = {"input": "a", "rating": 5}


class Gateway:
    """Keeps what was posted; refuses the event whose input is `refused`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def post(self, _path: str, body: dict[str, Any]) -> dict[str, Any]:
        for number, event in enumerate(body["events"]):
            if event["input"] == "refused":
                raise ApiError(f"events[{number}].input: is refused.", 422)
        self.events += body["events"]
        return {"event_ids": ["id"] * len(body["events"])}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    stub = Gateway()
    monkeypatch.setattr(command, "connect", lambda *_: stub)
    return stub


def send(folder: Path, content: bytes) -> Result:
    file = folder / "feedback.jsonl"
    file.write_bytes(content)
    return CliRunner().invoke(app, ["feedback", "send", "picker", "--file", str(file)])


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


@pytest.mark.parametrize("text", ["a\u2028b", "a\u0085b", "a\x0bb", "\u4f60\u597d", "caf\u00e9"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_text_is_sent_as_it_is(
    gateway: Gateway, tmp_path: Path, text: str, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    event = json.dumps(GOOD | {"input": text}, ensure_ascii=text.isascii()).encode()

    result = send(tmp_path, start + event + b"\r\n")

    assert result.exit_code == 0, result.stderr
    assert [event["input"] for event in gateway.events] == [text]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"input": "caf\u00e9", "rating": 5}'.encode("latin-1"), "not UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b"7", "not a JSON object"),
        (b'{"input": "a", "rating": 9}', "rating"),
        (b'{"input": "a", "ratin": 5}', "ratin"),
    ],
)
def test_a_wrong_line_is_named_before_any_is_sent(
    gateway: Gateway, tmp_path: Path, line: bytes, reason: str
) -> None:
    result = send(tmp_path, lines(*[GOOD] * 220) + line + b"\n" + lines(GOOD))

    assert result.exit_code == 1
    assert "Line 221" in result.stderr
    assert reason in result.stderr
    assert gateway.events == []


def test_a_refusal_of_the_gateway_says_how_far_it_came(gateway: Gateway, tmp_path: Path) -> None:
    events = [GOOD | {"input": str(number)} for number in range(250)]
    events[220]["input"] = "refused"

    result = send(tmp_path, lines(*events))

    assert result.exit_code == 1
    assert "200 events were accepted; line 221 was refused" in result.stderr.replace("\n", " ")


def test_a_mended_file_sends_its_other_lines_under_the_same_ids(
    gateway: Gateway, tmp_path: Path
) -> None:
    events = [GOOD, GOOD | {"input": "b"}, GOOD]
    send(tmp_path, lines(*events))
    first = [event["interaction_id"] for event in gateway.events]
    gateway.events.clear()

    send(tmp_path, lines(events[0], GOOD | {"input": "mended"}, events[2]))

    again = [event["interaction_id"] for event in gateway.events]
    assert len(set(first)) == 3
    assert (again[0], again[2]) == (first[0], first[2])


def test_a_line_above_the_event_limit_is_named_and_nothing_is_sent(
    gateway: Gateway, tmp_path: Path
) -> None:
    result = send(tmp_path, lines(GOOD, GOOD | {"input": "x" * 70_000}))

    assert result.exit_code == 1
    assert "Line 2 of" in result.stderr
    assert "--max-event-bytes" in result.stderr
    assert gateway.events == []
