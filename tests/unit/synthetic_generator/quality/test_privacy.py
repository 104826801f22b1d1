"""Personal data is found by its pattern."""

import itertools
import time
from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.synthetic_generator.quality.privacy import redact
from shared.personal_data import Detection, detect_personal_data, is_iban, is_luhn_valid
from tests.support.data.real_data import real_data

KINDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "CREDIT_CARD": "CARD",
    "US_SSN": "SSN",
    "IP_ADDRESS": "IP",
    "IBAN_CODE": "IBAN",
    "PHONE_NUMBER": "PHONE",
}
MINIMUM_RECALL_AND_PRECISION = {  # recall, precision
    "EMAIL": (1.0, 1.0),
    "CARD": (0.93, 0.95),
    "SSN": (1.0, 1.0),
    "IP": (1.0, 0.88),
    "IBAN": (0.95, 1.0),
    "PHONE": (0.76, 0.58),
}


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to jo.doe+x@mail.example.org.", "write to <EMAIL>."),
        ("card 4111 1111 1111 1111, please", "card <CARD>, please"),
        ("SSN 460-89-9847", "SSN <SSN>"),
        ("from 192.168.0.1:80", "from <IP>:80"),
        ("IBAN GB82 WEST 1234 5698 7654 32 now", "IBAN <IBAN> now"),
        ("to GB82WEST12345698765432", "to <IBAN>"),
        ("call +41 (0)62 585 51 90", "call <PHONE>"),
        ("an j\u00fcrgen@m\u00fcller.de, bitte", "an <EMAIL>, bitte"),
        ("\u0438\u0432\u0430\u043d@\u043f\u043e\u0447\u0442\u0430.\u0440\u0444", "<EMAIL>"),
        ("from 2001:db8::1, ::1, fe80::1ff:fe23:4567:890a", "from <IP>, <IP>, <IP>"),
        ("call +41\u00a0(0)62\u00a0585\u00a051\u00a090", "call <PHONE>"),
        ("call 030/12345678 or 0221 / 4710-815", "call <PHONE> or <PHONE>"),
        ("\u0660\u0661\u0662-\u0663\u0664\u0665-\u0666\u0667\u0668\u0669", "<PHONE>"),
        ("call (579)888-3058 or 345-899-3560x4587", "call <PHONE> or <PHONE>"),
    ],
)
def test_personal_data_is_replaced_by_its_kind(text: str, redacted: str) -> None:
    assert redact(text).text == redacted


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567 of 2026-03-01",
        "card 4111 1111 1111 1112",
        "version 300.1.2.3 and 1.2.3",
        "3 apples, 12 pears and 1,000.50 euros",
        "GB82WEST12345698765433",
        "me@home",
        "born on 15.01.2024, or 3/4/1999",
        "it costs 1 250 000 yen",
        "version 10.15.7.1 of the system",
        "at 52.520008, 13.404954",
        "at 10:15:00, ratio 1::2x, std::vector, A::B",
    ],
)
def test_what_only_looks_like_personal_data_stays(text: str) -> None:
    assert detect_personal_data(text) == []


def test_what_was_replaced_is_counted() -> None:
    assert redact("a@b.org and c@d.org from 10.0.0.1").found == {"EMAIL": 2, "IP": 1}


@given(st.text(alphabet="0123456789 .-@()+xaB:<>", max_size=60))
def test_scrubbing_leaves_nothing_to_scrub(text: str) -> None:
    once = redact(text).text

    assert redact(once).text == once


@given(st.text(alphabet="0123456789 .-@()+xaB:", max_size=80))
def test_report_parts_are_in_order_and_do_not_overlap(text: str) -> None:
    found = detect_personal_data(text)

    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


@given(st.integers(0, 10**15), st.integers(0, 9))
def test_one_wrong_digit_breaks_a_card_number(number: int, digit: int) -> None:
    valid = [last for last in range(10) if is_luhn_valid(f"{number}{last}")]

    assert len(valid) == 1
    assert is_luhn_valid(f"{number}{digit}") == (digit == valid[0])


def test_one_wrong_sign_breaks_an_account_number() -> None:
    assert is_iban("gb82 west 1234 5698 7654 32")
    assert not is_iban("GB82WEST12345698765431")


def test_real_texts_are_scrubbed_at_least_as_well_as_by_plain_forms() -> None:
    hit, there, found, right = Counter(), Counter(), Counter(), Counter()
    for line in real_data("presidio_pii/synth_v2.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        detections = detect_personal_data(row["full_text"])
        spans = [
            Detection(KINDS[s["entity_type"]], s["start_position"], s["end_position"])
            for s in row["spans"]
            if s["entity_type"] in KINDS
        ]
        there.update(span.kind for span in spans)
        hit.update(span.kind for span in spans if any(_overlap(span, f) for f in detections))
        found.update(detection.kind for detection in detections)
        right.update(f.kind for f in detections if any(_overlap(f, span) for span in spans))

    for kind, (recall, precision) in MINIMUM_RECALL_AND_PRECISION.items():
        assert hit[kind] / there[kind] >= recall, kind
        assert right[kind] / found[kind] >= precision, kind


def _overlap(one: Detection, other: Detection) -> bool:
    return one.kind == other.kind and one.start < other.end and other.start < one.end


def test_a_word_of_many_letters_is_searched_in_linear_time() -> None:
    began = time.process_time()

    redact("a" * 130_000)

    assert time.process_time() - began < 2.0  # 23 s with an unanchored pattern


def test_many_detections_take_linear_time() -> None:
    text = "a@b.org " * 40_000

    start = time.perf_counter()
    found = detect_personal_data(text)

    assert len(found) == 40_000
    assert time.perf_counter() - start < 10  # each compared with all others: over a minute
