"""CPU time and memory of processes and of the machine, from /proc (see proc(5))."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_IDLE, _WAITING_FOR_DISK = 3, 4
"""The fields of the first line of /proc/stat that count idle time."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the user and system time of processes without their children (fields 14 and 15 of stat)."""
    return sum(_cpu_ticks(pid) for pid in pids) / _TICKS_PER_SECOND


def children_of(pid: int) -> tuple[int, ...]:
    """Return the process ids of the children that a process has now."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return tuple(int(child) for one in lists for child in one.read_text().split())


def busy_cpu_seconds() -> float:
    """Return the CPU time that all cores together have spent on any process."""
    line = Path("/proc/stat").read_text().splitlines()[0]
    # user nice system idle iowait irq softirq steal; guest times are within user's.
    ticks = [int(field) for field in line.split()[1:9]]
    return (sum(ticks) - ticks[_IDLE] - ticks[_WAITING_FOR_DISK]) / _TICKS_PER_SECOND


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_resident_mib(pid: int) -> float:
    """Return the highest resident memory of a process since its start (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**10


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
