"""Where the sender connects to, whatever the receiver or the DNS answers."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from services.notifier.addresses import is_public
from services.notifier.answers import HttpAnswer, NoAnswer
from services.notifier.messages import headers_of
from services.notifier.sender import Sender
from tests.support.receiver import SECRET, Receiver, receiver

SECONDS_MAX = 10.0
PUBLIC, LOOPBACK = "93.184.215.14", "127.0.0.1"
BODY = '{"type": "batch.completed", "data": {"batch": {"batchId": "batch"}}}'


class ChangingResolver(AbstractResolver):
    """Answers with a public address once, and then with that of this machine."""

    def __init__(self) -> None:
        self.answers = [PUBLIC]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the next answer."""
        address = self.answers.pop() if self.answers else LOOPBACK
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Close nothing."""


@asynccontextmanager
async def sender(*, allows_private: bool, resolver: AbstractResolver | None = None) -> AsyncIterator[Sender]:
    """Yield a sender."""
    one = Sender(SECONDS_MAX, allows_private=allows_private, resolver=resolver)
    try:
        yield one
    finally:
        await one.close()


def signed() -> dict[str, str]:
    """Return the headers of an attempt."""
    return headers_of("msg", BODY, [SECRET], datetime.now(UTC))


async def test_a_redirect_is_not_followed(hooks: Receiver) -> None:
    async with receiver() as inner, sender(allows_private=True) as one:
        hooks.answer = lambda _: web.Response(status=307, headers={"Location": inner.url})
        assert await one.send(hooks.url, signed(), BODY) == HttpAnswer(307)
    assert (len(hooks.received), inner.received) == (1, [])


async def test_a_name_is_checked_as_it_is_connected_to(hooks: Receiver) -> None:
    """A check in advance sees a public address; then the DNS answers with a private one."""
    resolver, url = ChangingResolver(), f"http://hooks.example:{hooks.port}/hooks"
    (before,) = await resolver.resolve("hooks.example")
    assert is_public(before["host"])
    async with sender(allows_private=False, resolver=resolver) as one:
        refused = await one.send(url, signed(), BODY)
    assert refused == NoAnswer("cannot connect: the host leads to 127.0.0.1, which is not a public address")
    assert hooks.received == []
    async with sender(allows_private=True, resolver=resolver) as one:
        assert await one.send(url, signed(), BODY) == HttpAnswer(200)  # only the check has kept it away
