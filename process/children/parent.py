"""The parent: forks the children, waits for what happens to them, and passes the request to stop on.

It must not have started a thread or used gRPC, which do not survive a fork: children import what they need.
"""

import os
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import NoReturn

import structlog

from process.children.board import Board
from process.children.child import Child
from process.children.supervision import Supervision
from process.configuration import refuse
from process.signals import EXIT_KILLED_BASE, STOP_SIGNALS

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # mkdtemp makes a folder for this user alone
"""Where the files of the children are if it can be written to: they live no longer than the processes, and a
container may have no other folder that can be written to."""
EXIT_FAILED = 1
"""What Python exits with after an exception."""
EVENT_BYTES = 4_096

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a parent's program does."""

    run: Callable[[Child], int]
    """Runs a child to its end, in its own process, and returns its exit code."""
    all_serve: Callable[[], None]
    """Called once, when all children serve for the first time."""
    child_ended: Callable[[Path, int], None]
    """Called with the folder and the number of a child that has ended and will be started again."""


@dataclass(frozen=True, slots=True)
class _Running:
    pid: int
    channel: socket.socket


class Parent:
    """Runs children until it is stopped by a signal, or one of them cannot go on.

    Args:
        children: their number.
        callbacks: what the program does.

    """

    def __init__(self, children: int, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._supervision = Supervision(children)
        self._board = Board(children)
        self._folder = _new_folder()
        self._running: dict[int, _Running] = {}
        self._starts = dict.fromkeys(range(1, children + 1), 0)
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._signals, self._wakeup = socket.socketpair()

    def run(self) -> int:
        """Run the children.

        Returns:
            The exit code: the first one of a child that is not 0; 128 + n after a second signal n.

        """
        try:
            with self._signals_as_bytes():
                while not self._supervision.is_over:
                    due = self._supervision.due(time.monotonic())
                    for number in due:
                        self._start(number)
                    if not due:
                        self._handle_events()
                    if self._supervision.is_stopping:
                        self._stop_all()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return self._supervision.code

    @contextmanager
    def _signals_as_bytes(self) -> Iterator[None]:
        """Receive signals as bytes on a socket, between two events instead of in the middle of a fork."""
        for end in (self._signals, self._wakeup):
            os.set_blocking(end.fileno(), False)
        self._selector.register(self._signals, selectors.EVENT_READ)
        before = {one: signal.signal(one, _do_nothing) for one in (*STOP_SIGNALS, signal.SIGCHLD)}
        descriptor = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for one, handler in before.items():
                signal.signal(one, handler)
            self._selector.close()

    def _start(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        os.set_blocking(ours.fileno(), False)
        child = Child(number, self._starts[number], self._folder, self._board, theirs)
        self._starts[number] += 1
        self._supervision.started(number)
        try:
            pid = self._fork(child, ours)
        except OSError as error:  # too little memory, or too many processes: as if it had died of that
            _log.error("process not started", child=number, reason=error.strerror)
            ours.close()
            self._supervision.ended(number, EXIT_FAILED, time.monotonic())
        else:
            self._running[number] = _Running(pid, ours)
            self._selector.register(ours, selectors.EVENT_READ, number)
        finally:
            theirs.close()

    def _fork(self, child: Child, ours: socket.socket) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # the child takes them when it has handlers
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._become(child)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        return pid

    def _become(self, child: Child) -> NoReturn:
        """Go on as a child. Nothing of the parent may run in it, not even the end of a `with`."""
        code = EXIT_FAILED
        try:
            os.setsid()  # so that Ctrl-C reaches only the parent
            signal.set_wakeup_fd(-1)
            for one in (*STOP_SIGNALS, signal.SIGCHLD):
                signal.signal(one, signal.SIG_DFL)
            self._selector.close()
            for end in (self._signals, self._wakeup, *(one.channel for one in self._running.values())):
                end.close()  # a sibling that kept an end would hide the death of the parent
            code = _code_of(self._callbacks.run, child)
        finally:
            if os.getppid() != self._pid:
                shutil.rmtree(self._folder, ignore_errors=True)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _handle_events(self) -> None:
        due = self._supervision.next_start
        timeout = None if due is None else max(0.0, due - time.monotonic())
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._signals:
                for number in self._signals.recv(EVENT_BYTES):
                    self._handle_signal(number)
            else:
                self._hear(key.data)

    def _handle_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            for child in list(self._running):
                self._reap(child)
        elif self._supervision.is_stopping:
            self._end_at_once(number)
        else:
            self._supervision.stop()

    def _hear(self, number: int) -> None:
        if number not in self._running:
            return  # an earlier event of the same round was its end
        channel = self._running[number].channel
        try:
            said = channel.recv(EVENT_BYTES)
        except ConnectionError:
            said = b""
        if not said:
            self._selector.unregister(channel)  # it ends: its signal follows
            return
        if self._starts[number] > 1:
            _log.info("process serves again", child=number)
        if self._supervision.serves(number, time.monotonic()):
            self._callbacks.all_serve()

    def _reap(self, number: int) -> None:
        running = self._running[number]
        pid, status = os.waitpid(running.pid, os.WNOHANG)
        if pid == 0:
            return
        del self._running[number]
        with suppress(KeyError):
            self._selector.unregister(running.channel)
        running.channel.close()
        self._board.clear(number)
        is_told_by_child = not self._supervision.have_others_started
        code = _shell_code(status)
        delay = self._supervision.ended(number, code, time.monotonic())
        if delay is not None:
            self._callbacks.child_ended(self._folder, number)
            _log.error("process ended", child=number, **_described(code), starts_again_in_seconds=delay)
        elif code and not is_told_by_child:
            _log.error("process ended", child=number, **_described(code))

    def _stop_all(self) -> None:
        for running in self._running.values():
            with suppress(OSError):  # it has died just now
                running.channel.shutdown(socket.SHUT_WR)

    def _end_at_once(self, number: int) -> NoReturn:
        for running in self._running.values():
            os.kill(running.pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(EXIT_KILLED_BASE + number)


def _new_folder() -> Path:
    parent = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    try:
        return Path(mkdtemp(prefix="batchprogress-", dir=parent))
    except OSError as error:
        refuse(f"several processes need a folder for temporary files: {error.strerror}; set TMPDIR")


def _code_of(run: Callable[[Child], int], child: Child) -> int:
    """Run a child; what ends it is told as Python tells it."""
    try:
        return run(child)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILED
    except BaseException:  # noqa: BLE001  # the last frame of the process
        traceback.print_exc()
        return EXIT_FAILED


def _shell_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else EXIT_KILLED_BASE - code


def _described(code: int) -> dict[str, int | str]:
    if code <= EXIT_KILLED_BASE:
        return {"code": code}
    return {"code": code, "signal": signal.Signals(code - EXIT_KILLED_BASE).name}


def _do_nothing(_number: int, _frame: object) -> None:
    """Exist: Python writes a byte only for signals with a handler."""
