"""A database server that ends a connection while it is opened, as one does that is being killed."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from batches.database_url import split_url
from batches.store.engines import create_engine
from process import event_loop
from process.accounts import RotatedAccount
from process.database_logins import DatabaseLogins

TRIES = 50
"""With a busy event loop, a third of them find a transport that is closed already."""
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@pytest.fixture
def url() -> Iterator[str]:
    """Yield the URL of a server that resets each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset_each() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the end of the test
                    return
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
                connection.close()

        thread = threading.Thread(target=reset_each)
        thread.start()
        yield f"mysql+asyncmy://user:password@127.0.0.1:{server.getsockname()[1]}/batches"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_it_is_an_error_of_the_connection_on_a_busy_event_loop(url: str) -> None:
    """It is tried again; any other error would end the server."""

    async def be_busy() -> None:
        while True:
            time.sleep(0.005)  # noqa: ASYNC251  # the loop sees a connection and its end in one turn
            await asyncio.sleep(0)

    async def main() -> None:
        busy = asyncio.create_task(be_busy())
        account = RotatedAccount(url, None, split_url)
        engine = create_engine(make_url(url), 1, DatabaseLogins(account))
        for _ in range(TRIES):
            with pytest.raises(OperationalError):
                async with engine.connect():
                    pass
        busy.cancel()
        await engine.dispose()

    event_loop.run(main())
