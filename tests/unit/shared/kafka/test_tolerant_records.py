"""A record that cannot be decoded is distinguished from those beside it."""

import struct
from collections.abc import Callable

import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c

from shared.kafka.tolerant_records import TolerantRecords, UndecodableValue

GZIP = 1
CRC_AT, ATTRIBUTES_AT = 17, 21


class OddName(str):
    """A header's name that is written as bytes which are no UTF-8."""

    def encode(self, *_: object) -> bytes:
        return b"x\xff"


def _batch(*names: str, compression: int = 0) -> bytes:
    """A batch of one record per header name; values are 0, 1, 2."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1_000_000)
    for offset, name in enumerate(names):
        builder.append(offset, 1_000 + offset, b"key", b"%d" % offset, [(name, b"v" * 200)])
    return bytes(builder.build())


def _damaged(batch: bytes, damage: Callable[[bytearray], None]) -> bytes:
    """With a checksum that fits, as its producer would have made it."""
    changed = bytearray(batch)
    damage(changed)
    struct.pack_into(">I", changed, CRC_AT, calc_crc32c(bytes(changed[ATTRIBUTES_AT:])))
    return bytes(changed)


def _read(raw: bytes) -> list[tuple[int, bytes | None, list[str]]]:
    records, found = TolerantRecords(raw), []
    while records.has_next():
        batch = records.next_batch()
        assert batch.validate_crc()
        found += [(r.offset, r.value, [name for name, _ in r.headers]) for r in batch]
    return found


@pytest.mark.parametrize("compression", [0, GZIP], ids=["plain", "gzip"])
def test_a_header_name_that_is_no_utf8_is_escaped_and_all_records_come(compression: int) -> None:
    batch = _batch("a", OddName("odd"), "c", compression=compression)

    found = _read(batch + batch)

    assert found == [(0, b"0", ["a"]), (1, b"1", ["x\\xff"]), (2, b"2", ["c"])] * 2


def test_what_is_read_one_by_one_is_what_the_library_reads() -> None:
    odd, fine = TolerantRecords(_batch("a", OddName("o"))), TolerantRecords(_batch("a", "b"))

    read, expected = (list(records.next_batch()) for records in (odd, fine))

    shown = [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value) for r in read]
    assert shown == [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value) for r in expected]


def test_a_record_that_breaks_its_own_frame_is_the_only_one_to_stand_aside() -> None:
    def cut_the_name(batch: bytearray) -> None:
        batch[batch.index(b"bbb") - 1] = 0x7E  # the name's length, as if it went on and on

    found = _read(_damaged(_batch("aaa", "bbb", "ccc"), cut_the_name))

    assert [(offset, names) for offset, _, names in found] == [(0, ["aaa"]), (1, []), (2, ["ccc"])]
    assert isinstance(found[1][1], UndecodableValue)
    assert "cannot be decoded" in found[1][1].reason
    assert b"bbb" in found[1][1]


def test_a_batch_that_does_not_decompress_stands_aside_as_one_at_its_last_place() -> None:
    def spoil(batch: bytearray) -> None:
        batch[-20:] = b"\x00" * 20

    found = _read(_damaged(_batch("a", "b", "c", compression=GZIP), spoil))

    assert [offset for offset, _, _ in found] == [2]
    assert "offsets 0 to 2" in found[0][1].reason
