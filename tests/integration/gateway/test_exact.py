"""Many clients at once: each result counts once, however often and whichever way it arrives."""

import asyncio
import json
import random

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.support.gateway import JSON, PROGRESS, Answer, Door, gateway
from tests.support.progress import progress_process

WORKERS = 1_037
SEED = random.randrange(1 << 32)
PATH = f"/{PROGRESS}/ReportJobResult"


@pytest.mark.more("posts 2,074 reports over 1,037 connections at a time")
async def test_1037_concurrent_posts_each_twice_count_once(sqlite_url: str) -> None:
    """Through two gateways, half of them as JSON and half as binary messages; some jobs fail."""
    print(f"seed {SEED}")
    order = random.Random(SEED).sample(range(WORKERS), WORKERS)
    async with (
        progress_process(sqlite_url) as server,
        gateway(server.target) as first,
        gateway(server.target) as second,
    ):
        await first.call("CreateBatch", batchId="b", totalJobs=WORKERS)
        answers = await asyncio.gather(
            *(
                _report(door, job, is_json=(job + turn) % 2 == 0)
                for turn, door in enumerate((first, second))
                for job in order
            )
        )
        batch = (await first.call("GetBatch", batchId="b")).json["batch"]
    assert {answer.status for answer in answers} == {200}
    tallies = (batch["succeededJobs"], batch["failedJobs"], batch["pendingJobs"], batch["state"])
    failed = len(range(0, WORKERS, 10))
    assert tallies == (str(WORKERS - failed), str(failed), "0", "BATCH_STATE_COMPLETED")


async def _report(door: Door, job: int, *, is_json: bool) -> Answer:
    outcome = pb.JOB_OUTCOME_SUCCEEDED if job % 10 else pb.JOB_OUTCOME_FAILED
    if not is_json:
        report = pb.ReportJobResultRequest(batch_id="b", job_id=str(job), outcome=outcome)
        return await door.post(PATH, report.SerializeToString(), "application/proto")
    body = {"batchId": "b", "jobId": str(job), "outcome": pb.JobOutcome.Name(outcome)}
    return await door.post(PATH, json.dumps(body).encode(), JSON)
