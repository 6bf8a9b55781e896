"""What a child knows: its number, its parent, and what it shares with its siblings."""

import asyncio
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from process.children.board import Board
from process.signals import STOP_SIGNALS

SERVES = b"serves"
"""What a child says to its parent, once."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child process, as it sees itself."""

    number: int
    """From 1."""
    restarts: int
    """How many children had this number before."""
    folder: Path
    """For files that all children read; the parent removes it."""
    board: Board
    parent: socket.socket
    """Its other end belongs to the parent alone, which closes it to stop the child, or by dying."""

    def follow(self, stop: asyncio.Event) -> None:
        """Set an event when the parent stops this child, or has died. Needs the running loop.

        Call it when the signal handlers are installed: the parent holds back the stop signals until then.
        """
        loop = asyncio.get_running_loop()

        def parent_has_closed() -> None:
            loop.remove_reader(self.parent)
            stop.set()

        loop.add_reader(self.parent, parent_has_closed)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def tell_serving(self) -> None:
        """Tell the parent that this child serves."""
        self.parent.send(SERVES)

    def tell_ready(self, *, ready: bool) -> None:
        """Tell all children that this one lives, and whether it is ready."""
        self.board.tell(self.number, ready=ready, now=time.monotonic())

    def are_all_ready(self) -> bool:
        """Whether all children that have spoken are ready, and there is one."""
        return self.board.is_ready(time.monotonic())

    def are_all_alive(self) -> bool:
        """Whether all running children live."""
        return self.board.is_alive(time.monotonic())
