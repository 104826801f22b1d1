"""Dead letters as they are read from their topic, and sent again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archon_contracts.identifiers import new_id
from archon_contracts.topics import AUDIT, FEEDBACK, REPLAY_DAYS, dead_letters
from services.gateway.auth.credentials import ALL_SCOPES, Caller
from services.gateway.auth.request_identity import identify_request
from services.gateway.dead_letters import service
from services.gateway.dead_letters.letters import (
    RECEIVED_HEADER,
    StoredDeadLetter,
    find_first_received_at,
    parse_dead_letter,
    to_text,
    with_received_header,
)
from services.gateway.dead_letters.service import DeadLetterService
from services.gateway.errors import Conflict, NotFound
from shared.messaging.messages import RawHeaders, RawRecord
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock

TOPIC = dead_letters("data_prep").name
KEY_ID = new_id()
ASKED = identify_request(Caller("acme", "ann", ALL_SCOPES, KEY_ID))
THEN = datetime.fromtimestamp(1_700, UTC)  # the records' time
CLOCK = SetClock(THEN)
ADDED = (
    ("dlq_reason", b"agent is unknown"),
    ("dlq_error_type", b"PermanentError"),
    ("dlq_attempts", b"3"),
    ("dlq_service", b"data_prep"),
    ("dlq_topic", FEEDBACK.name.encode()),
    ("dlq_partition", b"4"),
    ("dlq_offset", b"17"),
    ("dlq_null_headers", b"trace,other"),
)


def record(headers: RawHeaders = ADDED, value: bytes | None = b"\xff\x00") -> RawRecord:
    return RawRecord(TOPIC, 0, 12, b"acme/a", value, (("ce_type", b"x.v1"), *headers), 1_700_000)


class FakeDeadLetterStore:
    """A store in memory."""

    def __init__(self, *letters: StoredDeadLetter) -> None:
        self.by_id = {letter.id: letter for letter in letters}
        self.replays = 0

    async def find(self, _tx: object, letter_id: str) -> StoredDeadLetter | None:
        letter = self.by_id.get(letter_id)
        return replace(letter, replays=self.replays) if letter else None

    async def add(self, _tx: object, letter: StoredDeadLetter) -> None:
        self.by_id[letter.id] = letter

    async def count_replay(self, _tx: object, _letter_id: str) -> int:
        self.replays += 1
        return self.replays


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.tuples(st.sampled_from([name for name, _ in ADDED]) | st.text(), st.binary())),
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01"]),
)
def test_a_dead_letter_with_any_headers_is_read(
    timestamp: int, headers: list[tuple[str, bytes]], at: str
) -> None:
    said = (*headers, ("dlq_at", at.encode()))

    letter = parse_dead_letter(record(said)._replace(timestamp=timestamp))

    assert letter.first_at.astimezone(UTC) <= letter.last_at.astimezone(UTC)


class RecordingRawOutbox:
    """Keeps what is appended."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    async def append_raw(self, _tx: object, **fields: object) -> bool:
        self.sent.append(fields)
        return True


def dead_letters_with(*letters: StoredDeadLetter) -> DeadLetterService:
    return DeadLetterService(
        FakeDeadLetterStore(*letters), RecordingRawOutbox(), RecordingAudit(), CLOCK
    )


def test_a_dead_letter_has_its_place_and_reason() -> None:
    letter = parse_dead_letter(record())

    assert letter.id == "data_prep:0:12"
    assert (letter.topic, letter.partition, letter.record_offset) == (FEEDBACK.name, 4, 17)
    assert (letter.reason, letter.attempts) == ("agent is unknown", 3)
    assert letter.headers == (("ce_type", b"x.v1"),)
    assert letter.null_headers == ("trace", "other")


def test_a_dead_letter_without_a_reason_is_kept() -> None:
    letter = parse_dead_letter(record(headers=(("dlq_attempts", b"many"), ("dlq_offset", None))))

    assert letter.service == "data-prep"
    assert (letter.reason, letter.attempts, letter.record_offset) == ("not stated", 1, -1)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(None, (None, "null")), (b"{}", ("{}", "text")), (b"\xff", ("/w==", "base64"))],
)
def test_bytes_are_shown_as_text_where_they_are_text(
    raw: bytes | None, shown: tuple[str | None, str]
) -> None:
    assert to_text(raw) == shown


async def test_a_replay_sends_the_original_bytes_and_headers() -> None:
    letter = parse_dead_letter(record())
    outbox = RecordingRawOutbox()
    letters = DeadLetterService(FakeDeadLetterStore(letter), outbox, RecordingAudit(), CLOCK)

    requests = [identify_request(ASKED.caller) for _ in range(2)]
    numbers = [await letters.replay(None, request, letter.id) for request in requests]

    assert numbers == [1, 2]
    assert outbox.sent[0]["payload"] == b"\xff\x00"
    received = (RECEIVED_HEADER, THEN.isoformat().encode())
    assert outbox.sent[0]["headers"] == (("ce_type", b"x.v1"), received)
    assert outbox.sent[0]["key"] == "acme/a"
    assert outbox.sent[0]["event_id"] != outbox.sent[1]["event_id"]


async def test_a_repeated_request_replays_once() -> None:
    letter = parse_dead_letter(record())
    store, outbox, audit = FakeDeadLetterStore(letter), RecordingRawOutbox(), RecordingAudit()
    letters = DeadLetterService(store, outbox, audit, CLOCK)

    for _ in range(2):
        assert await letters.replay(None, ASKED, letter.id) == 1

    assert (len(outbox.sent), len(audit.entries)) == (1, 1)


async def test_a_dead_letter_of_an_unknown_topic_is_not_replayed() -> None:
    letter = parse_dead_letter(record(headers=(("dlq_topic", b"__consumer_offsets"),)))

    with pytest.raises(Conflict, match="cannot be replayed"):
        await dead_letters_with(letter).replay(None, ASKED, letter.id)


async def test_an_unknown_dead_letter_is_not_found() -> None:
    with pytest.raises(NotFound):
        await dead_letters_with().find(None, "x:0:1")


async def test_a_dead_letter_shows_its_null_headers() -> None:
    letter = parse_dead_letter(record())

    shown = await dead_letters_with(letter).find(None, letter.id)

    assert shown.headers == {"ce_type": "x.v1", "trace": None, "other": None}
    assert (shown.body, shown.body_encoding, shown.type) == ("/wA=", "base64", "x.v1")


async def test_a_replay_is_audited_with_its_caller_and_topic() -> None:
    letter = parse_dead_letter(record())
    audit = RecordingAudit()

    for _ in range(2):
        await DeadLetterService(
            FakeDeadLetterStore(letter), RecordingRawOutbox(), audit, CLOCK
        ).replay(None, ASKED, letter.id)

    (recorded,) = audit.entries
    assert (recorded.tenant_id, recorded.actor) == ("acme", f"ann (key {KEY_ID})")
    assert (recorded.action, recorded.subject) == ("dead_letter_replayed", letter.id)
    assert recorded.details["topic"] == FEEDBACK.name


@pytest.mark.parametrize(
    ("letters_days", "records_days"),
    [(REPLAY_DAYS + 1, None), (REPLAY_DAYS + 1, 0), (1, REPLAY_DAYS + 1)],
    ids=["old, never replayed", "old, young by its word", "failed again and again"],
)
async def test_a_record_older_than_the_inbox_retention_is_not_replayed(
    letters_days: int, records_days: int | None
) -> None:
    letter = _aged(letters_days, records_days)
    outbox = RecordingRawOutbox()

    with pytest.raises(Conflict, match="cannot be replayed"):
        await DeadLetterService(
            FakeDeadLetterStore(letter), outbox, RecordingAudit(), CLOCK
        ).replay(None, ASKED, letter.id)

    assert outbox.sent == []


@pytest.mark.parametrize("records_days", [None, 0, REPLAY_DAYS - 1])
async def test_a_record_within_the_inbox_retention_is_replayed(records_days: int | None) -> None:
    letter = _aged(1, records_days)

    assert await dead_letters_with(letter).replay(None, ASKED, letter.id) == 1


def _aged(letters_days: int, records_days: int | None) -> StoredDeadLetter:
    at = THEN - timedelta(days=letters_days)
    letter = replace(parse_dead_letter(record()), first_at=at, last_at=at)
    if records_days is None:
        return letter
    time = (THEN - timedelta(days=records_days)).isoformat().encode()
    return replace(letter, headers=(*letter.headers, (RECEIVED_HEADER, time)))


async def test_a_record_that_came_lately_is_replayed_however_old_its_sender_says_it_is() -> None:
    backfill = (THEN - timedelta(days=365)).isoformat().encode()
    letter = _aged(0, None)
    letter = replace(letter, headers=(*letter.headers, ("ce_time", backfill)))

    assert await dead_letters_with(letter).replay(None, ASKED, letter.id) == 1


def test_a_replay_keeps_the_time_of_the_first_failure() -> None:
    first = with_received_header(_aged(90, None))
    later = replace(_aged(1, None), headers=first)

    assert find_first_received_at(later) == THEN - timedelta(days=90)
    assert with_received_header(later) == first


@pytest.mark.parametrize(("topic", "alarms"), [(AUDIT.name, 1), (FEEDBACK.name, 0)])
async def test_a_refused_entry_of_the_audit_log_is_an_alarm(
    topic: str, alarms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[dict[str, str]] = []
    monkeypatch.setattr(
        service.refused_counter, "add", lambda _number, labels: counted.append(labels)
    )
    refused = record(headers=(("dlq_topic", topic.encode()), ("dlq_service", b"coordinator")))

    await dead_letters_with().add(None, refused)

    assert counted == [{"service": "coordinator"}] * alarms
