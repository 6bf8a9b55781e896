"""What the clients for Node and Go make of answers that are not our server's last word."""

import signal

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.languages.programs import Programs
from tests.support.eventually import eventually
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

pytestmark = [pytest.mark.more("runs programs of Node and Go"), pytest.mark.xdist_group("languages")]

PROCESSING = pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=1, total_jobs=2)
COMPLETED = pb.Batch(
    batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=2, total_jobs=2, percent_complete=100
)
OTHERS = ("1", "2", "3", "4")
INVALID_ARGUMENT, NOT_FOUND, INTERNAL, UNAUTHENTICATED, OTHER_DOMAIN = 3, 5, 13, 16, "example.org"
FROM_THE_ROAD = [
    http_status(502),
    http_status(413),
    Answer([], reset_code=2),
    Answer(goaway_code=0),
    ok(),
    grpc_status(NOT_FOUND, "by a gateway"),
    grpc_status(INTERNAL, "by a gateway", reason="BATCH_NOT_FOUND", domain=OTHER_DOMAIN),
    grpc_status(UNAUTHENTICATED, "the token is replaced", reason="TOKEN_INVALID"),
]
"""None of these is the server's last word about a report."""


def recorded(number: int) -> Answer:
    """Answer that reports were recorded."""
    results = [pb.ReportedResult(disposition=pb.DISPOSITION_RECORDED)] * number
    return ok(pb.ReportJobResultsResponse(results=results))


def jobs_in(request: Request) -> list[str]:
    """Return the jobs of the reports in a request."""
    return [one.job_id for one in pb.ReportJobResultsRequest.FromString(request.message).results]


class Answers:
    """Gives one answer after the other; the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def answer_to(self, request: Request) -> Answer:
        """Answer a request."""
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_worker_repeats_what_the_server_has_not_refused(programs: Programs) -> None:
    answers = Answers(*FROM_THE_ROAD, recorded(1))
    async with http2_server(answers.answer_to) as target:
        reported = await programs.run("worker", "b", "17", server=target)
    assert (reported.code, reported.lines) == (0, ["RECORDED: 1"]), reported
    assert len({request.message for request in answers.requests}) == 1
    assert not answers.answers[1:]


async def test_worker_sends_what_is_left_at_sigterm(programs: Programs) -> None:
    answers = Answers(http_status(502))
    async with (
        http2_server(answers.answer_to) as target,
        programs.running("worker", "b", server=target) as worker,
    ):
        await worker.write("17")
        await eventually(lambda: bool(answers.requests))
        sent = len(answers.requests)
        worker.send(signal.SIGTERM)
        answers.answers = [recorded(1)]
        ended = await worker.ended(input_ends=False)
    assert ended.code != 0
    assert "unsent" not in ended.errors
    assert len(answers.requests) > sent
    (result,) = pb.ReportJobResultsRequest.FromString(answers.requests[-1].message).results
    assert result.job_id == "17"


async def test_a_call_that_is_refused_as_a_whole_is_halved(programs: Programs) -> None:
    """One bad report does not fail its neighbours."""

    def answer_to(request: Request) -> Answer:
        jobs = jobs_in(request)
        is_bad = "bad" in jobs
        return grpc_status(INVALID_ARGUMENT, reason="MALFORMED_MESSAGE") if is_bad else recorded(len(jobs))

    async with http2_server(answer_to) as target:
        reported = await programs.run("worker", "b", "0", "bad", *OTHERS, server=target)
    assert sorted(reported.lines) == ["MALFORMED_MESSAGE: 1", f"RECORDED: {len(OTHERS) + 1}"], reported


async def test_a_report_that_does_not_pass_holds_up_no_other(programs: Programs) -> None:
    """A proxy dislikes one of them for as long as the others wait."""
    passed: list[str] = []

    def answer_to(request: Request) -> Answer:
        jobs = jobs_in(request)
        if "disliked" in jobs and (len(jobs) > 1 or len(passed) <= len(OTHERS)):
            return http_status(413)
        passed.extend(jobs)
        return recorded(len(jobs))

    async with http2_server(answer_to) as target:
        reported = await programs.run("worker", "b", "0", "disliked", *OTHERS, server=target)
    assert (reported.code, reported.lines) == (0, [f"RECORDED: {len(OTHERS) + 2}"]), reported
    assert sorted(passed[:-1]) == ["0", *OTHERS]
    assert passed[-1] == "disliked"


async def test_watcher_goes_on_after_a_silent_stream_and_other_ends(programs: Programs) -> None:
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
    async with http2_server(answers.answer_to) as target:
        watched = await programs.run("watch", "b", server=target)
    assert watched.code == 0, watched
    assert [line.rpartition(" ")[2] for line in watched.lines] == ["PROCESSING", "COMPLETED"]
    requests = [pb.WatchBatchRequest.FromString(request.message) for request in answers.requests]
    assert [request.heartbeat_interval.seconds for request in requests] == [20] * 5


async def test_watch_of_a_batch_that_was_replaced_ends(programs: Programs) -> None:
    replaced = pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=1, total_jobs=9)
    replaced.create_time.FromSeconds(1)
    answers = Answers(*(ok(pb.WatchBatchResponse(batch=batch)) for batch in (PROCESSING, replaced)))
    async with http2_server(answers.answer_to) as target:
        watched = await programs.run("watch", "b", server=target)
    assert (watched.code, len(watched.lines)) == (4, 1), watched
    assert "was replaced by a new batch" in watched.errors
