"""Records with a header whose name is no UTF-8, read as any other broker's client reads them.

Kafka keeps a header's name as bytes and takes any. aiokafka 0.14 decodes it as UTF-8, and where it
is none, it raises UnicodeDecodeError out of the consumer, at the same record each time it begins
again: one such record would hold up its partition, and end its readers, for good. Here the bytes
that are no UTF-8 come as U+FFFD, so that the record is somebody's dead letter and the next follow.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


class _Lenient(bytearray):
    """A buffer whose text need not be UTF-8."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", _errors: str = "strict") -> str:
        return super().decode(encoding, "replace")


class _Batch:
    """aiokafka's, which is read again in Python where its own reading fails."""

    def __init__(self, batch: Any, data: bytes, number: int) -> None:
        self._batch = batch
        self._data = data
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except (UnicodeDecodeError, CorruptRecordException):
            # From its beginning: the consumer drops by their offsets those that it has.
            yield from self._leniently()

    def _leniently(self) -> Iterator[Any]:
        records = _MemoryRecordsPy(self._data)
        for _ in range(self._number):
            records.next_batch()
        batch: Any = _DefaultRecordBatchPy(records._next_slice)
        iter(batch)
        batch._buffer = _Lenient(batch._buffer)
        return iter(batch)


class _Records:
    def __init__(self, data: bytes) -> None:
        self._records: Any = MemoryRecords(data)
        self._data = data
        self._number = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    def next_batch(self) -> _Batch:
        batch = _Batch(self._records.next_batch(), self._data, self._number)
        self._number += 1
        return batch


def understand_header_names() -> None:
    """For the whole process; safe to repeat."""
    fetcher.MemoryRecords = _Records
