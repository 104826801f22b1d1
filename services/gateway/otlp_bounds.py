"""Bounds of an OTLP request, checked on its bytes before objects are made of them."""

from __future__ import annotations

from typing import Any, Final

from services.gateway.errors import MalformedBody, TooLarge

MAX_ELEMENTS: Final = 500_000
"""Fields in one request, in spans, attributes, values and links: two bytes can be a whole one."""
MAX_DEPTH: Final = 32
# Wire types of protobuf; 3 and 4 are groups, which no message of OTLP has.
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


def require_bounded(body: bytes, message: Any) -> int:
    """The number of elements of a serialised `message`, a protobuf class.

    Raises:
        TooLarge: more than MAX_ELEMENTS, or deeper than MAX_DEPTH.
        MalformedBody: the bytes are no protobuf message.
    """
    walk = _Walk(body)
    walk.count(message.DESCRIPTOR, 0, len(body), 0)
    return walk.elements


class _Walk:
    """Steps over the fields of the wire format; text and numbers are skipped unread."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.elements = 0

    def count(self, descriptor: Any, at: int, end: int, depth: int) -> None:
        """Count the elements of the message between two positions."""
        if depth > MAX_DEPTH:
            raise TooLarge(f"values may be nested {MAX_DEPTH} deep at most")
        fields = descriptor.fields_by_number
        while at < end:
            self._add()
            tag, at = self._varint(at, end)
            field, start = fields.get(tag >> 3), at
            start, at = self._span(tag & 7, at, end)
            if field is not None and field.message_type is not None and tag & 7 == LENGTH_DELIMITED:
                self.count(field.message_type, start, at, depth + 1)

    def _add(self) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise TooLarge(
                f"a request may have {MAX_ELEMENTS} fields in all its spans; export fewer at once"
            )

    def _span(self, wire_type: int, at: int, end: int) -> tuple[int, int]:
        """Where the value of a field begins and ends."""
        start = at
        if wire_type == VARINT:
            _, after = self._varint(at, end)
        elif wire_type == LENGTH_DELIMITED:
            length, start = self._varint(at, end)
            after = start + length
        elif wire_type in (FIXED64, FIXED32):
            after = at + (8 if wire_type == FIXED64 else 4)
        else:
            raise MalformedBody(f"the body is no OTLP trace request: wire type {wire_type}")
        if after > end:
            raise MalformedBody("the body is no OTLP trace request: it is cut off")
        return start, after

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        # Seven bits a byte: ten bytes hold 64 bits, and a longer number is none.
        while at < end and shift < 70:
            byte = self._body[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at
        raise MalformedBody("the body is no OTLP trace request: a number has no end")
