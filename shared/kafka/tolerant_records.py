"""Every record of a fetched batch comes out, whatever a producer wrote into the one beside it.

aiokafka decodes a batch record by record and raises at the first that it cannot: a header whose
name is no UTF-8 is enough. The records it had drained from other partitions are then dropped with
their positions moved on, and the next commit covers what nobody has seen. So its reader of batches
is replaced, and a drain that fails all the same puts the positions back.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint
from cramjam import DecompressionError

from shared.kafka.patches import Record, RecordBatch, replace_batch_reader, undecoded_records

# Kafka's record batch: base offset (8 bytes), batch length (4), partition leader epoch (4), magic.
# The length counts from after itself.
LENGTH_AT: Final = 8
LOG_OVERHEAD: Final = 12
MAGIC_AT: Final = 16
# As much as a dead letter can hold; more would be cut there.
RAW_BYTES_KEPT: Final = 900_000
UNDECODABLE_ERRORS = (
    CorruptRecordException, DecompressionError, EOFError, OSError, ValueError, IndexError,
    OverflowError, struct.error, zlib.error,
)  # fmt: skip


class UndecodableValue(bytes):
    """Stands for the value of a record that nobody can read: bytes of it, and why."""

    reason: str

    @classmethod
    def of(cls, raw: bytes, reason: str) -> UndecodableValue:
        """What could be had of the record, and the reason."""
        stand_in = cls(raw[:RAW_BYTES_KEPT])
        stand_in.reason = reason
        return stand_in


class TolerantRecords:
    """aiokafka's `MemoryRecords`, whose batches are `TolerantBatch`es."""

    def __init__(self, bytes_data: bytes) -> None:
        self._records = MemoryRecords(bytes_data)
        self._bytes = bytes_data
        self._at = 0

    def size_in_bytes(self) -> int:
        """Bytes of all batches, a cut one at the end included."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Whether another whole batch follows."""
        return bool(self._records.has_next())

    def next_batch(self) -> TolerantBatch:
        """The next one; to be asked for after `has_next`."""
        (length,) = struct.unpack_from(">i", self._bytes, self._at + LENGTH_AT)
        end = self._at + LOG_OVERHEAD + length
        raw, self._at = self._bytes[self._at : end], end
        return TolerantBatch(self._records.next_batch(), raw)


class TolerantBatch:
    """A batch that never ends in the middle: what cannot be read comes as `UndecodableValue`."""

    def __init__(self, batch: Any, raw: bytes) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for record in self._batch:
                yield record
                read += 1
        except UNDECODABLE_ERRORS as error:
            yield from islice(self._decode_records(error), read, None)

    def _decode_records(self, error: Exception) -> Iterator[Record]:
        """The whole batch again, each record read within its own frame."""
        if self._raw[MAGIC_AT] < 2:  # one compressed set of messages, without headers
            yield self._stand_in_for_rest(0, self._raw, error)
            return
        batch = RecordBatch(self._raw)
        try:
            iter(batch)
        except UNDECODABLE_ERRORS as undecodable:
            yield self._stand_in_for_rest(0, self._raw, undecodable)
            return
        buffer, at, count = undecoded_records(batch)
        for index in range(count):
            try:
                size, start = decode_varint(buffer, at)
                if not 0 <= size <= len(buffer) - start:
                    raise CorruptRecordException(f"a record of {size} bytes")
            except UNDECODABLE_ERRORS as out_of_frame:
                yield self._stand_in_for_rest(index, bytes(buffer[at:]), out_of_frame)
                return
            at = start + size
            yield _read_record(batch, bytes(buffer[start:at]), index)

    def _stand_in_for_rest(self, index: int, raw: bytes, error: Exception) -> Record:
        """One stand-in at the batch's last place for every record from `index` on."""
        first, last = self._batch.base_offset + index, self._batch.next_offset - 1
        reason = f"the records at offsets {first} to {last} cannot be separated: {error}"
        return Record(last, 0, 0, None, UndecodableValue.of(raw, reason), [])


class _Frame:
    """Reads the bytes of one record in order."""

    def __init__(self, raw: bytes) -> None:
        self._raw = bytearray(raw)
        self._at = 1  # after the attributes, which say nothing

    def number(self) -> int:
        value, self._at = decode_varint(self._raw, self._at)
        return int(value)

    def bytes_or_null(self) -> bytes | None:
        size = self.number()
        if size < 0:
            return None
        start, self._at = self._at, self._at + size
        if self._at > len(self._raw):
            raise CorruptRecordException(f"{size} bytes, of which some are missing")
        return bytes(self._raw[start : self._at])

    def text(self) -> str:
        """A header's name; bytes that are no UTF-8 are written as \\xff."""
        name = self.bytes_or_null()
        if name is None:
            raise CorruptRecordException("a header without a name")
        return name.decode(errors="backslashreplace")

    def end(self) -> None:
        if self._at != len(self._raw):
            raise CorruptRecordException(f"{len(self._raw) - self._at} bytes too many")


def _read_record(batch: RecordBatch, raw: bytes, index: int) -> Record:
    frame = _Frame(raw)
    offset, kind = batch.base_offset + index, batch.timestamp_type
    try:
        timestamp = batch.first_timestamp + frame.number()
        if kind == batch.LOG_APPEND_TIME:
            timestamp = batch.max_timestamp
        stated_offset = batch.base_offset + frame.number()
        if stated_offset < offset:  # the fetcher passes over what seems to have been read
            raise CorruptRecordException(f"the record says that it is at offset {stated_offset}")
        offset = stated_offset
        key, value = frame.bytes_or_null(), frame.bytes_or_null()
        headers = [(frame.text(), frame.bytes_or_null()) for _ in range(frame.number())]
        frame.end()
    except UNDECODABLE_ERRORS as error:
        stand_in = UndecodableValue.of(raw, f"the record cannot be decoded: {error}")
        return Record(offset, 0, kind, None, stand_in, [])
    return Record(offset, timestamp, kind, key, value, headers)


def install_tolerant_records() -> None:
    """Make every consumer of this process read batches so; once is enough, twice does no harm."""
    replace_batch_reader(TolerantRecords)
