"""The end of a process: senders flush before the interpreter is gone.

The sending threads are daemons, which live until after the atexit callbacks: these come after every
other thread has ended, so that what the last job reported is flushed too. Processes that
multiprocessing forks run its own exit functions instead. What ends with os._exit (Celery's and RQ's
forked workers) runs neither: there, `close` belongs into the worker's own hook.
"""

import atexit
import functools
import multiprocessing
import multiprocessing.util
import weakref
from typing import Protocol

FIRST = 100
"""The priority among multiprocessing's exit functions: before it ends what a job may still use."""


class Closed(Protocol):
    """What is closed at the end."""

    def close_at_exit(self) -> None:
        """Flush for a while, and close."""


_senders: "weakref.WeakSet[Closed]" = weakref.WeakSet()


@functools.cache
def mind_exits() -> None:
    """Let the interpreter's exit close every sender, however late each begins."""
    atexit.register(close_all)


def flush_at_exit(sender: Closed) -> None:
    """Let the end of this process close a sender that has begun."""
    _senders.add(sender)
    if multiprocessing.parent_process() is not None:
        # Its registry is emptied in each process that it forks, so here and not once.
        multiprocessing.util.Finalize(None, close_all, exitpriority=FIRST)


def close_all() -> None:
    """Close every sender of this process."""
    for sender in list(_senders):
        sender.close_at_exit()


def forget_all() -> None:
    """After a fork, in the child: the senders are its parent's."""
    _senders.clear()
