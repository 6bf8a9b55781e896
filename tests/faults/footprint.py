"""The memory and file descriptors of a server process, from /proc."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

POLL_SECONDS = 0.1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Footprint:
    """The resident memory and the open descriptors of a process at one moment."""

    resident_bytes: int
    descriptors: int

    @classmethod
    def of(cls, process_id: int) -> Self:
        """Read the footprint of a process."""
        folder = Path(f"/proc/{process_id}")
        pages = int((folder / "statm").read_text().split()[1])
        return cls(pages * PAGE_BYTES, len(list((folder / "fd").iterdir())))


def peak_bytes(process_id: int) -> int:
    """Return the largest resident memory that a process has had."""
    lines = Path(f"/proc/{process_id}/status").read_text(encoding="ascii").splitlines()
    (kibibytes,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return kibibytes * 1_024


async def at_rest(process_id: int, descriptors_max: int, *, seconds_max: float) -> Footprint:
    """Return the footprint once the descriptors are closed, or as it is after `seconds_max`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    while True:
        now = Footprint.of(process_id)
        if now.descriptors <= descriptors_max or loop.time() > deadline:
            return now
        await asyncio.sleep(POLL_SECONDS)
