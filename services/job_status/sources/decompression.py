"""Decompresses data from a queue, never to more than is asked for: a few bytes may expand to gigabytes."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from services.job_status.sources.unreadable import Unreadable


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_DECOMPRESSORS: dict[bytes, Callable[[], _Decompressor]] = {
    b"application/x-gzip": zlib.decompressobj,
    b"application/x-bz2": bz2.BZ2Decompressor,
    b"application/x-lzma": lzma.LZMADecompressor,
}
"""By the content types of kombu. Its others (brotli, zstd) need packages that a queue's service lacks."""


def decompress_prefix(content_type: bytes, body: bytes, size: int) -> bytes:
    """Return the first bytes of compressed data.

    Args:
        content_type: the compression, as kombu names it.
        body: the compressed data; its end may be missing.
        size: how many bytes to return at most.

    Raises:
        Unreadable: the compression is not supported, or the data is damaged.

    """
    decompressor = _DECOMPRESSORS.get(content_type)
    if decompressor is None:
        raise Unreadable("its compression is not gzip, bzip2 or lzma")
    try:
        return decompressor().decompress(body, size)
    except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        raise Unreadable("its compressed result is damaged") from error
