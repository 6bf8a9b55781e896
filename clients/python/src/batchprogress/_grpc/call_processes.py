"""Starts the call process, and connects to it."""

import array
import os
import pickle
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import spawn
from pathlib import Path

PROGRAM = Path(__file__).with_name("call_process.py")
GROUP_SIGNALS = tuple(one for one in signal.Signals if one.name in {"SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"})
"""Signals that end a worker reach its whole process group, but its helpers, such as the call process, have to
end after it. Windows, where Celery imports the relay too, has only some of them."""
NO_SIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""A program may have SIGPIPE end it; macOS has no such flag."""
SEND_SECONDS_MAX = 5.0
"""How long a call process may leave what was sent to it unread: longer, and another one replaces it."""

SOURCE = """\
import os, sys
if os.fork():
    os._exit(0)  # a program that waits for all its children must not wait for the call process
sys.path[:] = {path!r}
import runpy
runpy.run_path({program!r}, run_name="__main__")
"""

_control: socket.socket | None = None
"""To the call process that this process, or the one that it was forked from, has started."""


def start() -> None:
    """Start the call process if there is none.

    Raises:
        OSError: it cannot be started.

    """
    _pass([])


def connect() -> socket.socket:
    """Return a socket to the call process, which is started if there is none.

    Raises:
        OSError: it cannot be started.

    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            _pass([theirs.fileno()])
        except BaseException:
            ours.close()
            raise
    return ours


def send(connection: socket.socket, request: Mapping[str, object]) -> None:
    """Send a request over a socket of `connect`."""
    connection.sendall(pickle.dumps(request), NO_SIGNAL)


def _pass(descriptors: list[int]) -> None:
    """Pass descriptors to the call process, or to a new one if it was killed or is stopped."""
    global _control  # noqa: PLW0603  # one for all channels of this process and of those forked from it
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    if _control is not None:
        try:
            _control.sendmsg([b"c"], ancillary, NO_SIGNAL)
        except (BrokenPipeError, TimeoutError):
            _control.close()  # it was killed, or is stopped and ends if it is ever continued
        except OSError:  # a daemon has closed its descriptors: the number may be another file's by now
            _control.detach()
        else:
            return
    _control = _spawn()  # of two threads that do so at once, one uses the process of the other; its own ends
    _control.sendmsg([b"c"], ancillary, NO_SIGNAL)


def _spawn() -> socket.socket:
    """Spawn the call process: no handler of this process runs at this fork, not even gRPC's own."""
    if getattr(sys, "frozen", False):
        raise OSError("a frozen program has no interpreter that could make its calls")
    ours, theirs = socket.socketpair()
    executable = os.fsdecode(spawn.get_executable() or "")
    code = SOURCE.format(path=sys.path, program=str(PROGRAM))
    with theirs:
        pid = os.posix_spawn(
            executable,
            [executable, "-S", "-c", code],  # -S: what a sitecustomize starts is of no use there
            os.environ,  # noqa: TID251  # what the call process inherits
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsigmask=GROUP_SIGNALS,
        )
    with suppress(ChildProcessError):  # it forks and exits at once
        os.waitpid(pid, 0)
    ours.settimeout(SEND_SECONDS_MAX)
    return ours
