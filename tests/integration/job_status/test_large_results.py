"""Results of any size: the memory of the service does not depend on what the jobs of a queue return."""

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from celery.backends.base import compress_payload
from redis import Redis

from batches.result import ERROR_MESSAGE_CHARACTERS_MAX
from batchprogress.v1 import progress_pb2
from tests.integration.job_status.processes import program
from tests.integration.job_status.servers import Client

TASKS = 100
RESULT_BYTES = 8_000_000
GROWTH_BYTES_MAX = 150_000_000
"""Before only the beginning of each result was read, the service grew by 2.9 GB."""

pytestmark = [pytest.mark.xdist_group("redis"), pytest.mark.more("stores 800 MB in Redis")]


@pytest.fixture
def redis(redis_url: str, reader_url: str) -> Iterator[Redis]:
    """Yield the queue's Redis; `reader_url` empties it afterwards."""
    assert reader_url
    with Redis.from_url(redis_url) as redis:
        yield redis


def _put_results(redis: Redis, results: dict[str, object], *, compression: str = "") -> None:
    """Store results as Celery does, each for TASKS tasks."""
    ids = []
    for name, result in results.items():
        stored: str | bytes = json.dumps({"status": name, "result": result, "date_done": None})
        payload = compress_payload(stored, compression) if compression else stored
        for number in range(TASKS):
            ids.append(f"{name.lower()}-{number}")
            redis.set(f"celery-task-meta-{ids[-1]}", payload)
    group = [["batch", None], [[[task_id, None], None] for task_id in ids]]
    redis.set("celery-taskset-meta-batch", json.dumps({"result": group}))


LARGE = {"SUCCESS": "x" * RESULT_BYTES}
FAILED = {"FAILURE": {"exc_type": "ValueError", "exc_message": ["x" * RESULT_BYTES]}}


@pytest.mark.parametrize(
    ("results", "compression"),
    [(LARGE, ""), (FAILED, ""), *((LARGE | FAILED, name) for name in ("zlib", "bzip2", "lzma"))],
)
async def test_large_results_take_little_memory(
    results: dict[str, object], compression: str, redis: Redis, redis_url: str
) -> None:
    """Each task has its outcome, and a failure its type and the beginning of its message."""
    _put_results(redis, results, compression=compression)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"SOURCE": "celery", "REDIS_URL": redis_url, "LISTEN": f"127.0.0.1:{port}"}
    variables = {f"JOB_STATUS_{name}": value for name, value in variables.items()}
    with program("-m", "services.job_status", **variables) as process:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
            client = Client(channel)
            at_rest = _peak_bytes(process.pid)
            counts, page = await client.counts("batch"), await client.page("batch")
            growth = _peak_bytes(process.pid) - at_rest
    print(f"the service grew by {growth / 1e6:.0f} MB")
    numbers = (counts.succeeded, counts.failed, counts.pending)
    assert numbers == (TASKS * ("SUCCESS" in results), TASKS * ("FAILURE" in results), 0)
    failures = [job for job in page.job_statuses if job.outcome == progress_pb2.JOB_OUTCOME_FAILED]
    assert {(job.error_type, job.error_message) for job in failures} <= {
        ("ValueError", "x" * ERROR_MESSAGE_CHARACTERS_MAX)
    }
    assert growth < GROWTH_BYTES_MAX


def _peak_bytes(process_id: int) -> int:
    """Return the highest resident memory of a process so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text(encoding="ascii"))
    assert found is not None, os.uname()
    return int(found[1]) * 1024
