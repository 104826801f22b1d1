"""Event files of TensorBoard, written without it.

A file is a sequence of records: length, its checksum, the event, its checksum; an event is a
protocol buffer (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from deploy.exports.runs import ExportedPoint, ExportedRun

_POLYNOMIAL: Final = 0x82F63B78
"""Castagnoli's, reflected (RFC 3720, appendix B.4)."""


def _make_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE: Final = _make_table()


def crc32c(content: bytes) -> int:
    """The checksum of RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def write_tensorboard(run: ExportedRun, folder: Path) -> list[Path]:
    """Write a folder per attempt; returns the event files."""
    attempts = sorted({point.attempt for point in run.points})
    written = []
    for attempt in attempts:
        points = [point for point in run.points if point.attempt == attempt]
        place = folder / f"{run.agent_id}-{run.job_id}" / f"attempt-{attempt}"
        place.mkdir(parents=True, exist_ok=True)
        started = points[0].at.timestamp()
        path = place / f"events.out.tfevents.{int(started):010d}.archon"
        head = _double(1, started) + _bytes(3, b"brain.Event:2")
        with path.open("wb") as file:
            file.write(_record(head))
            for point in sorted(points, key=lambda each: (each.step, each.at)):
                file.write(_record(_scalar(point)))
        written.append(path)
    return written


def _scalar(point: ExportedPoint) -> bytes:
    value = _bytes(1, point.name.encode()) + _key(2, 5) + struct.pack("<f", point.value)
    event = _double(1, point.at.timestamp()) + _key(2, 0) + _varint(point.step)
    return event + _bytes(5, _bytes(1, value))


def _record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + _masked(length) + event + _masked(event)


def _masked(content: bytes) -> bytes:
    crc = crc32c(content)
    rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
