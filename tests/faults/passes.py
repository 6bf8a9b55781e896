"""Passes of the reconciler as processes, on a machine whose clock may be hours off."""

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
        # gRPC takes the time here, and compares it in C with a clock that cannot be put off.
        is_grpc = sys._getframe(1).f_globals.get("__name__", "").startswith("grpc.")
        return real() if is_grpc else real() + HOURS * hour
    return now

class Off(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(hours=HOURS)

time.time, time.time_ns = off(time.time, 3_600), off(time.time_ns, 3_600 * 10**9)
datetime.datetime = Off
"""
"""A sitecustomize.py, which Python runs before all else; the machine's own clock is not ours to change."""
TELL_THE_TIME = "import datetime, time; print(time.time(), datetime.datetime.now().timestamp())"


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass that runs."""

    process: asyncio.subprocess.Process
    finished: asyncio.Task[Finished]

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    def freeze(self) -> None:
        """Stop it where it is."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    async def end(self) -> Finished:
        """Wait for its end; whatever it met must be told, and nothing be unexpected."""
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
    """Of the sitecustomize.py."""

    def __post_init__(self) -> None:
        """Write it."""
        (self.folder / "sitecustomize.py").write_text(CLOCK)

    @asynccontextmanager
    async def run(self, hours_off: int, **settings: str) -> AsyncIterator[Pass]:
        """Run a pass while the context is open; it is killed if it has not ended by then."""
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
        """Python tells another time there, or nothing would be proved."""
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
