"""Decompression of data from a queue."""

import bz2
import lzma
import zlib

import pytest

from services.job_status.sources.decompression import decompress_prefix
from services.job_status.sources.unreadable import Unreadable

COMPRESSED = {
    b"application/x-gzip": zlib.compress(bytes(1_000_000)),
    b"application/x-bz2": bz2.compress(bytes(1_000_000)),
    b"application/x-lzma": lzma.compress(bytes(1_000_000)),
}


@pytest.mark.parametrize(("content_type", "body"), COMPRESSED.items())
def test_no_more_than_the_limit_is_decompressed(content_type: bytes, body: bytes) -> None:
    assert decompress_prefix(content_type, body, 10) == bytes(10)


@pytest.mark.parametrize(("content_type", "body"), [*((kind, b"x") for kind in COMPRESSED), (b"zip", b"")])
def test_damaged_or_unknown_compression_is_unreadable(content_type: bytes, body: bytes) -> None:
    with pytest.raises(Unreadable):
        decompress_prefix(content_type, body * 99, 10)
