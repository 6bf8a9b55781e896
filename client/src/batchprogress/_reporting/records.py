"""Reports as bytes, on disk and between processes.

record = length (4 bytes) + CRC-32 (4 bytes) + the ReportJobResultRequest

A record that was cut short ends the reading: what comes after it cannot be found.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from google.protobuf.message import DecodeError

from batchprogress._reporting.buffer import Report

_HEAD = struct.Struct("<II")


def record_of(report: Report) -> bytes:
    """Return a report as a record."""
    body = report.SerializeToString()
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def reports_in(stream: BinaryIO) -> Iterator[Report]:
    """Yield the reports of a stream, as they come, up to its end or to the first record that is not whole."""
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        body = stream.read(length)
        if len(body) != length or zlib.crc32(body) != checksum:
            return
        try:
            yield Report.FromString(body)
        except DecodeError:
            return
