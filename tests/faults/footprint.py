"""What a server process holds: memory and descriptors, as the kernel counts them."""

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
        """Read it from /proc."""
        folder = Path(f"/proc/{process_id}")
        pages = int((folder / "statm").read_text().split()[1])
        return cls(pages * PAGE_BYTES, len(list((folder / "fd").iterdir())))


async def at_rest(process_id: int, descriptors_max: int, *, seconds_max: float) -> Footprint:
    """Return what a process holds once it has closed its descriptors, or after so long as it is then."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    while True:
        now = Footprint.of(process_id)
        if now.descriptors <= descriptors_max or loop.time() > deadline:
            return now
        await asyncio.sleep(POLL_SECONDS)
