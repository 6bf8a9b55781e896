"""How many cores this process may use: a container on a large machine often has one or two of them."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return the whole cores that affinity and the limits of control groups (v2) leave to this process.

    It is 1 on other systems than Linux.
    """
    if sys.platform != "linux":
        return 1
    return whole_cores(len(os.sched_getaffinity(0)), _cpu_limits(OWN_CGROUP, CGROUPS))


def whole_cores(affinity: int, cpu_limits: Iterable[str]) -> int:
    """Return the whole cores that are left.

    Args:
        affinity: the number of cores that the process may run on.
        cpu_limits: the contents of cpu.max of its control group and of those above: microseconds of CPU time
            (or max) in a period, and the period.

    Returns:
        The number, rounded down since a process more than cores only makes all of them wait, but at least 1.

    """
    cores = affinity
    for limit in cpu_limits:
        quota, _, period = limit.strip().partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            cores = min(cores, int(quota) // int(period))
    return max(cores, 1)


def _cpu_limits(own_cgroup: Path, cgroups: Path) -> Iterator[str]:
    """Yield the limits from the own control group up to the root; none where there are no groups of v2."""
    try:
        lines = own_cgroup.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        hierarchy, _, path = line.split(":", 2)
        if hierarchy != "0":
            continue
        own = PurePosixPath(path)
        for group in (own, *own.parents):
            try:
                yield (cgroups / str(group).lstrip("/") / "cpu.max").read_text(encoding="utf-8")
            except OSError:
                continue  # the root of the machine has no limit
