"""A proxy in front of a MySQL server that loses the answer to a commit on request.

If the network fails at that moment, a client cannot know whether its transaction was committed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

COMMIT = b"COMMIT"
"""The end of what the driver sends before it waits for the answer."""
CHUNK_BYTES_MAX = 1 << 16


class LosingProxy:
    """Forwards everything except the answers that it is asked to lose.

    Args:
        host: The server's host.
        port: The server's port.

    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._serving: set[asyncio.Task[None]] = set()
        self.answers_to_lose = 0
        self.lost_answers = 0
        self.stays_silent = False
        """Whether the connection stays open then, as in a network that loses packets."""

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Listen on the returned port, a free one if 0 is given; clients must disconnect before the end."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.gather(*self._serving)

    def _accept(self, questions: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(questions, answers))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, questions: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        committing = asyncio.Event()
        passing = [
            asyncio.create_task(self._ask(questions, to_server, committing)),
            asyncio.create_task(self._answer(from_server, answers, committing)),
        ]
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        to_server.close()
        answers.close()

    async def _ask(
        self, questions: asyncio.StreamReader, to_server: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while chunk := await questions.read(CHUNK_BYTES_MAX):
            if chunk.endswith(COMMIT) and self.answers_to_lose:
                self.answers_to_lose -= 1
                committing.set()
            to_server.write(chunk)
            await to_server.drain()

    async def _answer(
        self, from_server: asyncio.StreamReader, answers: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while chunk := await from_server.read(CHUNK_BYTES_MAX):
            if committing.is_set():  # the server has committed, but the client will not know
                self.lost_answers += 1
                if self.stays_silent:
                    await asyncio.Event().wait()  # until the client disconnects
                return
            answers.write(chunk)
            await answers.drain()
