"""Reports as bytes, in files and pipes.

record = length (4 bytes) + CRC-32 (4 bytes) + the serialized ReportJobResultRequest

A truncated, corrupt or empty record ends the reading: where the next one begins is unknown.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from google.protobuf.message import DecodeError

from batchprogress._reporting.buffer import Report

_HEADER = struct.Struct("<II")


def to_record(report: Report) -> bytes:
    """Return a report as a record."""
    body = report.SerializeToString()
    return _HEADER.pack(len(body), zlib.crc32(body)) + body


def read_reports(stream: BinaryIO) -> Iterator[Report]:
    """Yield the reports of a stream as they arrive, up to its end or the first bad record."""
    while len(header := stream.read(_HEADER.size)) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        if not length:  # no report is empty: some file systems end a file with zeros after a power loss
            return
        body = stream.read(length)
        if zlib.crc32(body) != checksum:
            return
        try:
            yield Report.FromString(body)
        except DecodeError:
            return
