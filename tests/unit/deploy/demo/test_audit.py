"""The audit: what was sent against what is stored."""

from uuid import UUID, uuid4

from deploy.demo.audit import FeedbackAudit, count_feedback

SENT = [uuid4() for _ in range(3)]
WINDOW = uuid4()


def audit(stored: list[tuple[UUID, UUID | None]]) -> FeedbackAudit:
    return count_feedback([str(event_id) for event_id in SENT], stored)


def test_everything_stored_and_used_once_is_in_order() -> None:
    found = audit([(event_id, WINDOW) for event_id in SENT])

    assert found == FeedbackAudit(sent=3, stored=3, used=3, lost=0, double=0)


def test_a_missing_event_is_lost() -> None:
    found = audit([(event_id, WINDOW) for event_id in SENT[:2]])

    assert (found.lost, found.used) == (1, 2)


def test_an_event_in_no_window_is_stored_and_not_used() -> None:
    found = audit([(event_id, None) for event_id in SENT])

    assert (found.stored, found.used) == (3, 0)


def test_an_event_stored_twice_or_under_another_id_is_double() -> None:
    twice = [(event_id, WINDOW) for event_id in [*SENT, SENT[0]]]
    stranger = [(event_id, WINDOW) for event_id in [*SENT, uuid4()]]

    assert (audit(twice).double, audit(stranger).double) == (1, 1)
