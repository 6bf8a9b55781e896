"""The memory of a process, from /proc."""

from pathlib import Path
from typing import Literal


def resident_kib(pid: int, key: Literal["VmRSS", "VmHWM"]) -> int:
    """Return the resident memory of a process in KiB: as it is now, or the most that there ever was."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (found,) = (int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
    return found
