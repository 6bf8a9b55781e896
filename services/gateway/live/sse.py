"""The format of server-sent events (HTML Standard, 9.2). Pure."""

COMMENT = b":\n\n"
"""Keeps a quiet connection open; clients ignore it."""


def event(name: str, json: str, *, event_id: str | None = None) -> bytes:
    """Return an event.

    Args:
        name: its type.
        json: its data, without line breaks.
        event_id: what a client sends as Last-Event-ID when it connects again; None: its previous one.

    """
    identity = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{identity}data: {json}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """Return how long a client should wait before it connects again."""
    return f"retry: {milliseconds}\n\n".encode()


def with_id(block: bytes, event_id: str) -> bytes:
    """Return an event, or a comment, with the id that a client sends as Last-Event-ID after it.

    Args:
        block: one event or comment that has no id.
        event_id: the id.

    """
    return f"id: {event_id}\n".encode() + block
