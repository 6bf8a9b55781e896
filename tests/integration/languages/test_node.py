"""The examples for Node follow the rules of docs/other-languages.md."""

from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.languages.node import output_of, running
from tests.support.http2_server import (
    GRPC_HEADERS,
    Answer,
    Request,
    framed,
    grpc_status,
    http2_server,
    http_status,
    ok,
)
from tests.support.progress import served

pytestmark = pytest.mark.more("starts Node")

PROCESSING = pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=1, percent_complete=50)
COMPLETED = pb.Batch(batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=2, percent_complete=100)
RECORDED = pb.ReportJobResultResponse(disposition=pb.DISPOSITION_RECORDED)
NOT_FOUND, INTERNAL, UNAUTHENTICATED, OTHER_DOMAIN = 5, 13, 16, "example.org"
FROM_THE_ROAD = [
    http_status(502),
    http_status(404),
    Answer([], reset_code=2),
    grpc_status(NOT_FOUND, "by a gateway"),
    grpc_status(INTERNAL, "by a gateway", reason="BATCH_NOT_FOUND", domain=OTHER_DOMAIN),
    grpc_status(UNAUTHENTICATED, "the token is replaced", reason="TOKEN_INVALID"),
]
"""None of these is the server's last word about a report."""


class Answers:
    """Gives one answer after the other; the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []

    def answer_to(self, request: Request) -> Answer:
        """Answer a request."""
        self.requests.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def test_worker_and_watcher_work_with_a_real_server(tmp_path: Path) -> None:
    """The second run of the worker reports the same job: it is counted once."""
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as progress:
        target = f"127.0.0.1:{progress.port}"
        await progress.create("b", 1)
        async with running("watch.js", target, "b") as watching:
            assert watching.stdout is not None
            assert await watching.stdout.readline() == b"0 % BATCH_STATE_PROCESSING\n"
            for disposition in ("DISPOSITION_RECORDED", "DISPOSITION_DUPLICATE"):
                async with running("worker.js", target, "b", "17") as worker:
                    assert await output_of(worker) == (0, [disposition], "")
            assert await output_of(watching) == (0, ["100 % BATCH_STATE_COMPLETED"], "")
        for script, *arguments in (("worker.js", "unknown", "17"), ("watch.js", "unknown")):
            async with running(script, target, *arguments) as refused:
                code, lines, errors = await output_of(refused)
            assert (code, lines) == (1, [])
            assert "there is no batch unknown" in errors


async def test_worker_repeats_what_the_server_has_not_refused() -> None:
    answers = Answers(*FROM_THE_ROAD, ok(RECORDED))
    async with http2_server(answers.answer_to) as target, running("worker.js", target, "b", "17") as worker:
        assert await output_of(worker) == (0, ["DISPOSITION_RECORDED"], "")
    assert len(answers.requests) == len(FROM_THE_ROAD) + 1
    assert len({request.message for request in answers.requests}) == 1


async def test_watcher_goes_on_after_a_silent_stream_and_other_ends() -> None:
    """It waits three times as long as the server has announced, and shows no state twice."""
    headers = [*GRPC_HEADERS, ("batchprogress-heartbeat-seconds", "0.1")]
    first, heartbeat = (framed(pb.WatchBatchResponse(batch=batch)) for batch in (PROCESSING, None))
    answers = Answers(
        Answer(headers, first + heartbeat, hangs=True),
        Answer(headers, hangs=True),
        http_status(502),
        Answer(headers, first, closes=True),
        ok(pb.WatchBatchResponse(batch=COMPLETED)),
    )
    async with http2_server(answers.answer_to) as target, running("watch.js", target, "b") as watching:
        shown = await output_of(watching)
    assert shown == (0, ["50 % BATCH_STATE_PROCESSING", "100 % BATCH_STATE_COMPLETED"], "")
    requests = [pb.WatchBatchRequest.FromString(request.message) for request in answers.requests]
    assert [request.heartbeat_interval.seconds for request in requests] == [20] * 5
