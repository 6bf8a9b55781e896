"""Describes the machine and the software that a run was made on."""

import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from bench.measure.stores import DURABLE, MysqlServer
from database_servers.redis import RedisServer

DISTRIBUTIONS = ("grpcio", "protobuf", "SQLAlchemy", "asyncmy", "redis", "hiredis", "celery")
SYNCS = 100
"""Appends to a file with fsync; together a tenth of a second on a fast disk."""
SYNC_BYTES = 4_096


async def describe(mysql: MysqlServer, redis: RedisServer) -> dict[str, str]:
    """Return names and values in the order in which the report shows them."""
    shown = await mysql.variables(("version", *DURABLE))
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f} (other work on the machine makes every number noisy)",
        "disk": f"{_sync_ms():.2f} ms for an append of {SYNC_BYTES:,} bytes and fsync (median)",
        "Python": f"{platform.python_version()}, {_event_loops()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS),
        "MySQL": f"{shown.pop('version')}: {', '.join(f'{name}={value}' for name, value in shown.items())}",
        "Redis": f"{redis.version}, writing nothing to disk",
    }


def _commit() -> str:
    """Return the commit of the checkout, followed by + if files were changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--exclude=*", "--dirty=+"],  # noqa: S607  # of the developer
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _event_loops() -> str:
    """Return what the servers run on: ours takes uvloop if it is installed (process/event_loop.py)."""
    try:
        return f"uvloop {version('uvloop')} in our progress server, asyncio's own event loop elsewhere"
    except PackageNotFoundError:
        return "asyncio's own event loop in all programs"


def _cpu_model() -> str:
    """Return the model of the processor, or the architecture if the kernel does not name a model."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _sync_ms() -> float:
    """Return the median time of an append with fsync, which a durable commit waits for, in milliseconds."""
    times = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(bytes(SYNC_BYTES))
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1_000)
    return median(times)
