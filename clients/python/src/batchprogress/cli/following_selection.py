"""Follows all batches with some labels and a prefix, those that are created later included."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NoReturn

from batchprogress.bar_line import held
from batchprogress.cli.client import AsyncCommandClient
from batchprogress.cli.following import View, read, results_of, show_read, silence_seconds
from batchprogress.cli.formatting import clean
from batchprogress.cli.presence import Presence
from batchprogress.models import Batch

READS_MAX = 20
"""The silent batches that are read at a time: four calls a second, also of a watch of a thousand batches."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which batches are watched."""

    labels: dict[str, str] = field(default_factory=dict)
    prefix: str = ""


async def follow_selection(client: AsyncCommandClient, selection: Selection, view: View) -> None:
    """Show the batches that match, until this is cancelled.

    Raises:
        CallFailed: the server, or a proxy before it, refused the watch.
        CommandError: the server was away for too long.

    """
    presence = Presence(client.connection.target, client.timeout)
    following = _Following(client, view, presence)
    await results_of([following.changes(selection), following.silences()], client, presence)


@dataclass(frozen=True, slots=True)
class _Followed:
    """A batch that is processing."""

    batch: Batch
    changed: float
    """When its last change was received, by the clock of the event loop."""
    received: float
    """When it was last received, also without a change."""


class _Following:
    """The batches that are processing.

    Args:
        client: the client.
        view: shows them.
        presence: is told what the server is asked and answers.

    """

    def __init__(self, client: AsyncCommandClient, view: View, presence: Presence) -> None:
        self._client = client
        self._view = view
        self._presence = presence
        self._followed: dict[str, _Followed] = {}
        self._clock = asyncio.get_running_loop().time

    async def changes(self, selection: Selection) -> None:
        """Show each state that the stream brings."""
        self._presence.asked()
        states = self._client.states_of_many(selection.labels, selection.prefix, self._presence)
        async with aclosing(states):
            async for batch in states:
                self._show(batch)

    async def silences(self) -> NoReturn:
        """Show what the time has made of batches without news, and read the stalls of some of them."""
        seconds = silence_seconds(self._client.timeout)
        while True:
            await asyncio.sleep(seconds)
            now = self._clock()
            silent = [one for one in self._followed.values() if now - one.changed >= seconds]
            for one in silent:
                self._view.aged(held(one.batch, now - one.received), now - one.changed)
            silent.sort(key=lambda one: one.received)
            await asyncio.gather(*map(self._read, silent[:READS_MAX]))

    def _show(self, batch: Batch) -> None:
        batch_id = batch.batch_id
        if batch.is_deleted:
            self._followed.pop(batch_id, None)
            self._view.missing(batch_id, f"batch {clean(batch_id)} was deleted")
            return
        if batch.has_ended:
            self._followed.pop(batch_id, None)
        else:
            now = self._clock()
            self._followed[batch_id] = _Followed(batch, now, now)
        self._view.changed(batch)

    async def _read(self, one: _Followed) -> None:
        answer = await read(self._client, one.batch, self._presence)
        # The stream may have brought news meanwhile.
        if answer is None or self._followed.get(answer.batch_id) is not one:
            return
        now = self._clock()
        self._followed[answer.batch_id] = _Followed(answer, one.changed, now)
        show_read(self._view, answer, one.batch, now - one.changed)
