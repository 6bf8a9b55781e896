"""How much of large requests is read at a time."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.gateway.contract.answers import Answer
from services.gateway.contract.request_bodies import LARGE_BODIES_BYTES_MAX, RequestBodies

LARGE = 4 * 1024 * 1024
AT_A_TIME = LARGE_BODIES_BYTES_MAX // LARGE


async def read(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Read a request as connectrpc does."""
    while (await receive()).get("more_body"):
        pass


async def large() -> Message:
    """Return a large request."""
    return {"type": "http.request", "body": LARGE * b" ", "more_body": False}


async def send(_message: Message) -> None:
    """Drop an answer."""


async def test_the_room_of_a_request_is_free_after_its_answer() -> None:
    bodies = RequestBodies(read)
    for _ in range(2 * AT_A_TIME):
        await bodies({"headers": []}, large, send)


async def test_a_large_request_without_room_is_refused_and_leaves_nothing() -> None:
    async def hold_all(scope: Scope, receive: Receive, send: Send) -> None:
        await read(scope, receive, send)
        depth.append(None)
        if len(depth) <= AT_A_TIME:
            await bodies(scope, large, send)

    depth: list[None] = []
    bodies = RequestBodies(hold_all)
    with pytest.raises(Answer, match="too many large requests"):
        await bodies({"headers": []}, large, send)
    depth += AT_A_TIME * [None]
    await bodies({"headers": []}, large, send)


async def test_a_declared_length_is_refused_before_the_body_is_read() -> None:
    async def never() -> Message:
        raise AssertionError

    scope = {"headers": [(b"content-length", b"5242880")]}
    with pytest.raises(Answer, match="larger than"):
        await RequestBodies(read)(scope, never, send)
