"""report: how one job ended, or many from a file or a pipe."""

import io
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import grpc
import typer

from batchprogress._calls.convert import OUTCOME_NUMBERS
from batchprogress._calls.requests import Call
from batchprogress._limits import ATTEMPT_MAX
from batchprogress._reporting.fields import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
    clip,
)
from batchprogress.cli.arguments import identifier
from batchprogress.cli.cli_errors import ADVICE, CommandError, ExitCode
from batchprogress.cli.client import say
from batchprogress.cli.formatting import clean
from batchprogress.cli.job_lines import NumberedReport, calls_in
from batchprogress.cli.output import values_of
from batchprogress.cli.session import Session
from batchprogress.models import JobOutcome
from batchprogress.v1 import progress_pb2 as pb

REFUSED = "refused"


def report(  # noqa: PLR0913  # options
    session: Session,
    batch_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", callback=identifier, help="The batch; with --from, of the lines that name none."
        ),
    ] = None,
    job_id: Annotated[str | None, typer.Argument(metavar="JOB", callback=identifier, help="The job.")] = None,
    outcome: Annotated[JobOutcome | None, typer.Argument(help="How the job ended.")] = None,
    *,
    attempt: Annotated[
        int, typer.Option(min=1, max=ATTEMPT_MAX, metavar="N", help="The attempt of the job, from 1.")
    ] = 1,
    error_type: Annotated[
        str, typer.Option(metavar="TEXT", help="The kind of the error; failures are grouped by it.")
    ] = "",
    error: Annotated[str, typer.Option(metavar="TEXT", help="The error message.")] = "",
    name: Annotated[str, typer.Option(metavar="TEXT", help="What the job does, for people.")] = "",
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="Read many reports, one JSON object per line; - is standard input."
        ),
    ] = None,
) -> None:
    """Report how a job ended; a repeated report is counted once.

    With --from each line is an object; only job_id and outcome are required, and display_name is --name. A
    line may name its batch_id, and has to if no ID is given:

    {"job_id": "17", "outcome": "failed", "attempt": 2, "error_type": "Timeout", "error": "after 30 s"}

    Lines of a pipe are sent as they arrive. Each refused report is printed to standard error; the others are
    still counted, and the exit code is 6.
    """
    if source is not None:
        if job_id is not None or outcome is not None:
            raise typer.BadParameter("--from replaces the arguments JOB and OUTCOME")
        _report_many(session, batch_id, source)
        return
    if batch_id is None or job_id is None or outcome is None:
        raise typer.BadParameter("give a batch, a job and its outcome, or --from FILE")
    request = pb.ReportJobResultRequest(
        batch_id=batch_id,
        job_id=job_id,
        outcome=OUTCOME_NUMBERS[outcome],
        attempt=attempt,
        error_type=clip(error_type, ERROR_TYPE_CHARACTERS_MAX),
        error_message=clip(error, ERROR_MESSAGE_CHARACTERS_MAX),
        display_name=clip(name, JOB_NAME_CHARACTERS_MAX),
    )
    response = session.client.answer(Call("ReportJobResult", request, _as_it_is, batch_id))
    if session.out.as_json:
        session.out.message(response)
        return
    has_ended = response.batch_state != pb.BATCH_STATE_PROCESSING
    state = pb.BatchState.Name(response.batch_state).removeprefix("BATCH_STATE_").lower()
    session.out.line(_name_of(response.disposition) + (f"; the batch is {state}" if has_ended else ""))


def _as_it_is(response: pb.ReportJobResultResponse) -> pb.ReportJobResultResponse:
    return response


def _answers_in(response: pb.ReportJobResultsResponse) -> list[pb.ReportedResult]:
    return list(response.results)


def _report_many(session: Session, batch_id: str | None, source: str) -> None:
    """Send the lines as they arrive; whatever ends it, print what became of those that were sent."""
    tally: Counter[str] = Counter()
    codes: set[ExitCode] = set()
    with _opened(source) as file:
        try:
            for reports in calls_in(file, batch_id):
                request = pb.ReportJobResultsRequest(results=[one.report for one in reports])
                answers = session.client.answer(Call("ReportJobResults", request, _answers_in))
                for sent, answer in zip(reports, answers, strict=True):
                    tally[_print_answer(session, sent, answer, codes)] += 1
        finally:
            if not session.out.as_json:
                parts = [f"{number:,} {name}" for name, number in tally.items()]
                session.out.line(", ".join(parts) or "no reports")
    if codes:
        sentence = f"{tally[REFUSED]:,} of {tally.total():,} reports were refused, each named above"
        raise CommandError(sentence, min(codes))


def _opened(source: str) -> io.BufferedReader:
    if source == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)  # it has no path
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{source}: {error.strerror}", param_hint="--from") from None


def _print_answer(
    session: Session, sent: NumberedReport, answer: pb.ReportedResult, codes: set[ExitCode]
) -> str:
    """Print an answer if it needs attention; return its name, and add the exit code of a refusal."""
    if session.out.as_json:
        session.out.values(
            {"batch_id": sent.report.batch_id, "job_id": sent.report.job_id, **values_of(answer)}
        )
    if not answer.HasField("error"):
        return _name_of(answer.disposition)
    is_missing = answer.error.code == grpc.StatusCode.NOT_FOUND.value[0]
    codes.add(ExitCode.NOT_FOUND if is_missing else ExitCode.REFUSED)
    advice = ADVICE.get(answer.error.reason, answer.error.reason)
    say(f"line {sent.line}: {clean(answer.error.message)}: {advice}")
    return REFUSED


def _name_of(disposition: pb.Disposition.ValueType) -> str:
    return pb.Disposition.Name(disposition).removeprefix("DISPOSITION_").lower().replace("_", " ")
