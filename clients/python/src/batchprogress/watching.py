"""`watch` and `watch_async` of version 0.1, until 0.3. Use `Client.watch` and `AsyncClient.watch`."""

from collections.abc import AsyncIterator, Iterator

import grpc

from batchprogress._calls.async_caller import AsyncCaller
from batchprogress._calls.attempts import Patience
from batchprogress._calls.caller import Caller
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress.errors import BatchNotFound, CallFailed, ProxyAnswered
from batchprogress.v1 import progress_pb2 as pb

OF_CHANNEL = "the server"
"""What stands for the address of a channel of the user's own, in messages."""


def watch(  # noqa: PLR0913  # options, by keyword only
    target: str | grpc.Channel,
    batch_id: str,
    *,
    after_revision: int = 0,
    min_interval: float = 0.0,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> Iterator[pb.Batch]:
    """Yield the messages of a batch as `Client.watch` yields its states.

    Args:
        target: host:port or any gRPC name; or a channel of your own, which stays open.
        batch_id: the batch.
        after_revision: only states newer than this revision. 0 yields the present one too.
        min_interval: the least time between two states, 0 to 60 seconds.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Not with a channel.
        token: a bearer token, or a function that returns the current one.

    Yields:
        The batch, in rising revisions unless a fail-over of the database lost changes.

    Raises:
        BatchNotFound: there is no such batch, or it was deleted meanwhile.
        ProxyAnswered: something before the server refused the watch.
        grpc.RpcError: the server refused the watch.

    """
    address, channel = (target, None) if isinstance(target, str) else (OF_CHANNEL, target)
    caller = Caller(Connection(address, credentials, token), Patience(), channel)
    try:
        for batch in caller.watch(batch_id, after_revision=after_revision, min_interval=min_interval):
            yield batch.message
    except (BatchNotFound, ProxyAnswered):
        raise
    except CallFailed as error:
        raise grpc_error_of(error) from None
    finally:
        if channel is None:
            caller.close()


async def watch_async(  # noqa: PLR0913  # options, by keyword only
    target: str | grpc.aio.Channel,
    batch_id: str,
    *,
    after_revision: int = 0,
    min_interval: float = 0.0,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> AsyncIterator[pb.Batch]:
    """Yield the messages of a batch as `watch` does, in an event loop; it takes and raises the same."""
    address, channel = (target, None) if isinstance(target, str) else (OF_CHANNEL, target)
    caller = AsyncCaller(Connection(address, credentials, token), Patience(), channel)
    try:
        async for batch in caller.watch(batch_id, after_revision=after_revision, min_interval=min_interval):
            yield batch.message
    except (BatchNotFound, ProxyAnswered):
        raise
    except CallFailed as error:
        raise grpc_error_of(error) from None
    finally:
        if channel is None:
            await caller.close()


def grpc_error_of(error: CallFailed) -> BaseException:
    """Return the error of gRPC that version 0.1 raised."""
    return error.__cause__ or error
