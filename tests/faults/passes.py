"""Passes of the reconciler as processes, with clocks that may be hours off."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.reconciler.scenes import Finished, Process
from tests.support.progress import ROOT

CLOCK = """
import datetime, os, sys, time

HOURS = int(os.environ["HOURS_OFF"])

def off(real, hour):
    def now():
        # gRPC reads the time here, and compares it in C with a clock that cannot be changed.
        is_grpc = sys._getframe(1).f_globals.get("__name__", "").startswith("grpc.")
        return real() if is_grpc else real() + HOURS * hour
    return now

Real = datetime.datetime

class TakesReal(type):
    def __instancecheck__(cls, value):
        return isinstance(value, Real)  # as the driver makes them

class Off(datetime.datetime, metaclass=TakesReal):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(hours=HOURS)

time.time, time.time_ns = off(time.time, 3_600), off(time.time_ns, 3_600 * 10**9)
datetime.datetime = Off
"""
"""A sitecustomize.py, which Python runs first; a test must not change the machine's own clock."""
TELL_THE_TIME = "import datetime, time; print(time.time(), datetime.datetime.now().timestamp())"


@dataclass(frozen=True, slots=True)
class Pass:
    """A running pass."""

    process: asyncio.subprocess.Process
    finished: asyncio.Task[Finished]

    @property
    def is_running(self) -> bool:
        """Whether it has not exited yet."""
        return self.process.returncode is None

    def freeze(self) -> None:
        """Stop it with SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it continue."""
        self.process.send_signal(signal.SIGCONT)

    async def end(self) -> Finished:
        """Wait until it has exited; it must have handled every error it met."""
        finished = await self.finished
        assert finished.code in {0, 1, -signal.SIGKILL}, finished.stderr
        assert "Traceback" not in finished.stderr
        if finished.code >= 0:
            assert "unexpected" not in finished.summary["left"], finished.stderr
        return finished


@dataclass(frozen=True, slots=True)
class Passes:
    """Starts passes with the same settings."""

    settings: Mapping[str, str]
    folder: Path
    """Where the sitecustomize.py is."""

    def __post_init__(self) -> None:
        """Write the sitecustomize.py."""
        (self.folder / "sitecustomize.py").write_text(CLOCK)

    @asynccontextmanager
    async def run(self, hours_off: int, **settings: str) -> AsyncIterator[Pass]:
        """Run a pass during the block; kill it at the end of the block if it still runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "reconciler",
            cwd=ROOT,
            env={**self._environment(hours_off), **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        one = Pass(process, asyncio.create_task(Process(process).finished()))
        try:
            yield one
        finally:
            if one.is_running:
                process.kill()
            await one.finished

    async def assert_clock_is_off(self, hours_off: int) -> None:
        """Check that Python tells another time there; otherwise the test would prove nothing."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            TELL_THE_TIME,
            env=self._environment(hours_off),
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        assert [round((float(word) - time.time()) / 3_600) for word in told.split()] == [hours_off] * 2

    def _environment(self, hours_off: int) -> dict[str, str]:
        return {**os.environ, **self.settings, "PYTHONPATH": str(self.folder), "HOURS_OFF": str(hours_off)}
