"""Channels like those of worker processes, to servers or to proxies in front of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import grpc

from tests.faults.cluster import CHANNEL_OPTIONS


def target_of(ports: Sequence[int]) -> str:
    """Return the target of a channel to all these ports of this machine."""
    return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)


@asynccontextmanager
async def open_channels(
    ports: Sequence[int],
    number: int,
    *,
    options: Sequence[tuple[str, int]] = (),
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Open channels that share no connection; `options` are added to those of every test."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(
                    target_of(ports), options=(*CHANNEL_OPTIONS, *options), interceptors=interceptors
                )
            )
            for _ in range(number)
        ]
