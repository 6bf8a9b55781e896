"""What the clients for Node and Go make of errors that have no text, and of logs that ask the reporter."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.languages.programs import Programs, go_programs, node_programs
from tests.support.http2_server import Answer, Request, http2_server, http_status, ok

pytestmark = [pytest.mark.more("runs programs of Node and Go"), pytest.mark.xdist_group("languages")]
SOURCES = Path(__file__).parent / "failing"


def node_program(folder: Path) -> Programs:
    """Return the program for Node."""
    found = node_programs(folder)
    shutil.copy(SOURCES / "failing.js", found.folder / "programs")
    return Programs({"failing": ("node", "programs/failing.js")}, found.folder)


def go_program(folder: Path) -> Programs:
    """Return the program for Go."""
    found = go_programs(folder, {"failing": SOURCES / "failing.go"})
    return Programs({"failing": (str(found.folder / "bin/failing"),)}, found.folder)


@pytest.fixture(scope="module", params=[node_program, go_program], ids=["node", "go"])
def failing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Return a program that reports that job 17 failed with an error that has no text."""
    program: Callable[[Path], Programs] = request.param
    return program(tmp_path_factory.mktemp("failing"))


async def test_error_without_a_text_is_reported_and_fails_no_job(failing: Programs) -> None:
    reports: list[pb.ReportJobResultRequest] = []

    def answer_to(request: Request) -> Answer:
        reports.extend(pb.ReportJobResultsRequest.FromString(request.message).results)
        return ok(
            pb.ReportJobResultsResponse(results=[pb.ReportedResult(disposition=pb.DISPOSITION_RECORDED)])
        )

    async with http2_server(answer_to) as target:
        ended = await failing.run("failing", server=target)
    assert (ended.code, ended.lines) == (0, ["unsent: 0"]), ended
    ((job_id, outcome, message),) = [(one.job_id, one.outcome, one.error_message) for one in reports]
    assert (job_id, outcome) == ("17", pb.JOB_OUTCOME_FAILED)
    assert message in {"<nil>", "[object Object]"}


async def test_log_of_unsent_reports_may_ask_the_reporter(failing: Programs) -> None:
    async with http2_server(lambda _: http_status(502)) as target:
        ended = await failing.run("failing", server=target)
    assert (ended.code, ended.lines) == (0, ["log: 0 unanswered", "unsent: 1"]), ended
