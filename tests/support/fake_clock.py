"""A clock for other processes that a test sets while they run: libfaketime, from Debian's package.

Only the time of day is faked. The monotonic clock stays, so timeouts last as long as they should.
"""

import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from database_servers.debian_packages import incomplete, unpacked_packages
from database_servers.debian_sources import is_debian, release
from database_servers.errors import CommandFailed, PackageUnavailable
from tests.support.not_run import without

PACKAGE = "libfaketime"


@cache
def _library() -> Path:
    """Return the library. It is that of this machine's release, whose C library Python uses."""
    suite = release() if is_debian() else "sid"
    tree = unpacked_packages(f"{PACKAGE}-{suite}", (PACKAGE,), suite=suite)
    found = next(tree.glob("usr/lib/*/faketime/libfaketimeMT.so.1"), None)
    if found is None:
        raise incomplete(tree)
    return found


@dataclass(frozen=True, slots=True)
class FakeClock:
    """The time of day of the processes that are started with its environment."""

    file: Path
    began: float = field(default_factory=time.time)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that has this clock."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its fix for another C library makes the condition variables of MySQL wait for too long.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, seconds: float) -> None:
        """Set it to this many seconds after its beginning, at once; it goes on from there."""
        ahead_seconds = seconds - (time.time() - self.began)
        new = self.file.with_suffix(".new")
        new.write_text(f"{ahead_seconds:+f}\n", encoding="ascii")
        new.replace(self.file)


def fake_clock(folder: Path) -> FakeClock:
    """Return a clock that begins with the real time, with its file in a folder; skip without libfaketime."""
    try:
        _library()
    except (PackageUnavailable, CommandFailed) as error:
        without(f"libfaketime: {error}")
    clock = FakeClock(folder / "clock")
    clock.set(0)
    return clock
