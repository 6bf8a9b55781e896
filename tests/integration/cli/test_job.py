"""job: one result with its stack trace."""

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import CommandLine
from tests.support.progress import Served

TRACE = 'Traceback:\n  File "sync.py", line 7\n\tsync()\nTimeout: no \x1b[2Janswer\n'


async def test_a_failed_job_is_shown_with_its_stack_trace(progress: Served, cli: CommandLine) -> None:
    """Its lines stay as they are, without what would control a terminal."""
    await progress.create("b", 2)
    await progress.report(
        "b",
        "j",
        pb.JOB_OUTCOME_FAILED,
        attempt=2,
        error_type="Timeout",
        error_message="no answer",
        display_name="sync row 7",
        error_details=TRACE,
    )
    shown = await cli.run("job", "b", "j")
    facts, _, trace = shown.out.partition("\n\n")
    values = dict(line.split(maxsplit=1) for line in facts.splitlines() if not line.startswith("error type"))
    assert values.pop("recorded").endswith(" UTC")
    assert values == {
        "job": "j",
        "name": "sync row 7",
        "outcome": "failed",
        "attempt": "2",
        "error": "no answer",
    }
    assert trace.splitlines() == [
        "Traceback:",
        '  File "sync.py", line 7',
        "    sync()",
        "Timeout: no \N{REPLACEMENT CHARACTER}[2Janswer",
    ]
    (as_json,) = (await cli.run("job", "b", "j", "--json")).json
    assert (as_json["job_id"], as_json["error_details"]) == ("j", TRACE)


async def test_a_job_without_a_result_is_said_to_have_none(progress: Served, cli: CommandLine) -> None:
    await progress.create("b", 2)
    ended = await cli.run("job", "b", "j")
    assert ended.code == 4
    assert "job j of batch b has no recorded result" in ended.err
