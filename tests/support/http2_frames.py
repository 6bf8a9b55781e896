"""HTTP/2 frames of a client, and the starts of gRPC calls, byte by byte."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STREAM_ID = 1
FRAME_BYTES_MAX = 16_384
"""The largest payload of a frame that every server accepts."""
_INITIAL_WINDOW_SIZE = 4
_CANCEL = 8
_HPACK_PREFIX_MAX = 127


def frame(kind: int, flags: int, payload: bytes, *, stream_id: int = STREAM_ID, length: int = -1) -> bytes:
    """Return an HTTP/2 frame; `length` overrides that of the payload."""
    size = len(payload) if length < 0 else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload


def greeting(*, window_bytes: int | None = None) -> bytes:
    """Return the start of a connection; with a window of 0 bytes, the server may not send messages."""
    setting = b"" if window_bytes is None else struct.pack(">HI", _INITIAL_WINDOW_SIZE, window_bytes)
    return PREFACE + frame(SETTINGS, 0, setting, stream_id=0)


def settings_ack() -> bytes:
    """Return the answer to the server's settings: only then must the client keep to them."""
    return frame(SETTINGS, ACK, b"", stream_id=0)


def call_headers(path: str) -> bytes:
    """Return the frame that starts a gRPC call."""
    return frame(HEADERS, END_HEADERS, header_block(path))


def header_block(path: str) -> bytes:
    """Return the headers of a gRPC call in HPACK, without indexing and compression."""
    return b"".join(b"\0" + hpack_text(name) + hpack_text(value) for name, value in _headers(path).items())


def indexed_headers(path: str) -> tuple[bytes, bytes]:
    """Return the header block of the first call of a connection, and that of each later call: 6 bytes."""
    entries = list(_headers(path).items())
    first = b"".join(b"\x40" + hpack_text(name) + hpack_text(value) for name, value in entries)
    newest = 62
    later = bytes(0x80 | newest + place for place in reversed(range(len(entries))))
    return first, later


def reset(stream_id: int) -> bytes:
    """Return the frame that cancels a call."""
    return frame(RST_STREAM, 0, struct.pack(">I", _CANCEL), stream_id=stream_id)


def whole_message(raw: bytes) -> bytes:
    """Return the frame with a request, which closes the client side."""
    return frame(DATA, END_STREAM, struct.pack(">BI", 0, len(raw)) + raw)


def half_message(raw: bytes) -> bytes:
    """Return a frame that announces more of a request than follows."""
    return frame(DATA, 0, struct.pack(">BI", 0, len(raw) + 1_000) + raw)


def split_headers(block: bytes, stream_id: int) -> bytes:
    """Return a header block of any size as HEADERS and CONTINUATION frames; END_HEADERS is in the last."""
    parts = [block[at : at + FRAME_BYTES_MAX] for at in range(0, len(block), FRAME_BYTES_MAX)]
    kinds = [HEADERS, *[CONTINUATION] * (len(parts) - 1)]
    flags = [*[0] * (len(parts) - 1), END_HEADERS]
    return b"".join(
        frame(kind, flag, part, stream_id=stream_id)
        for kind, flag, part in zip(kinds, flags, parts, strict=True)
    )


def hpack_text(text: str) -> bytes:
    """Return a string in HPACK, without compression."""
    raw = text.encode()
    return _hpack_length(len(raw)) + raw


def _hpack_length(number: int) -> bytes:
    if number < _HPACK_PREFIX_MAX:
        return bytes([number])
    rest, encoded = number - _HPACK_PREFIX_MAX, [_HPACK_PREFIX_MAX]
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*encoded, rest])


def _headers(path: str) -> dict[str, str]:
    return {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "hostile",
        "te": "trailers",
        "content-type": "application/grpc",
    }
