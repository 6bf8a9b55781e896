"""report: how a job ended, or many from a file or a pipe."""

import io
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import grpc
import typer

from batchprogress._reporting.report_methods import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    clip,
)
from batchprogress.cli import cli_errors
from batchprogress.cli.arguments import BatchId, identifier
from batchprogress.cli.cli_errors import Complaint, Exit
from batchprogress.cli.formatting import clean, state_of
from batchprogress.cli.job_lines import ATTEMPT_MAX, OUTCOMES, Numbered, calls_in
from batchprogress.cli.output import values_of
from batchprogress.cli.session import Session
from batchprogress.v1 import progress_pb2 as pb

REFUSED = "refused"


class Outcome(StrEnum):
    """How a job may have ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


def report(  # noqa: PLR0913  # options
    session: Session,
    batch_id: BatchId,
    job_id: Annotated[str | None, typer.Argument(metavar="JOB", callback=identifier, help="The job.")] = None,
    outcome: Annotated[Outcome | None, typer.Argument(help="How it ended.")] = None,
    *,
    attempt: Annotated[
        int, typer.Option(min=1, max=ATTEMPT_MAX, metavar="N", help="Which attempt of the job it was.")
    ] = 1,
    error_type: Annotated[
        str, typer.Option(metavar="TEXT", help="The kind of the error; failures are grouped by it.")
    ] = "",
    error: Annotated[str, typer.Option(metavar="TEXT", help="The error in words.")] = "",
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Report many: a JSON object a line; - is the input."),
    ] = None,
) -> None:
    """Report how a job ended; the same report again is not counted again.

    With --from each line is an object, of which job_id and outcome are required:

    {"job_id": "17", "outcome": "failed", "attempt": 2, "error_type": "Timeout", "error": "after 30 s"}

    Lines of a pipe are sent as they come. Each report that is refused is named on standard error and the
    others are counted; the exit code is then 6.
    """
    if source is not None:
        if job_id is not None or outcome is not None:
            raise typer.BadParameter("--from takes the place of a job and its outcome")
        _report_many(session, batch_id, source)
        return
    if job_id is None or outcome is None:
        raise typer.BadParameter("give a job and its outcome, or --from FILE")
    request = pb.ReportJobResultRequest(
        batch_id=batch_id,
        job_id=job_id,
        outcome=OUTCOMES[outcome],
        attempt=attempt,
        error_type=clip(error_type, ERROR_TYPE_CHARACTERS_MAX),
        error_message=clip(error, ERROR_MESSAGE_CHARACTERS_MAX),
    )
    response = session.client.call(session.client.stub.ReportJobResult, request)
    if session.out.as_json:
        session.out.message(response)
        return
    has_ended = response.batch_state != pb.BATCH_STATE_PROCESSING
    ending = f"; the batch is {state_of(response.batch_state)}" if has_ended else ""
    session.out.line(_name_of(response.disposition) + ending)


def _report_many(session: Session, batch_id: str, source: str) -> None:
    """Send what there is, as it comes; whatever ends it, tell what became of what was sent."""
    tally: Counter[str] = Counter()
    codes: set[Exit] = set()
    with _opened(source) as file:
        try:
            for call in calls_in(file, batch_id):
                request = pb.ReportJobResultsRequest(results=[one.report for one in call])
                answers = session.client.call(session.client.stub.ReportJobResults, request).results
                for sent, answer in zip(call, answers, strict=True):
                    tally[_told(session, sent, answer, codes)] += 1
        finally:
            if not session.out.as_json:
                parts = [f"{number:,} {name}" for name, number in tally.items()]
                session.out.line(", ".join(parts) or "no reports")
    if codes:
        sentence = f"{tally[REFUSED]:,} of {tally.total():,} reports were refused, each named above"
        raise Complaint(sentence, min(codes))


def _opened(source: str) -> io.BufferedReader:
    if source == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)  # it has no path
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{source}: {error.strerror}", param_hint="--from") from None


def _told(session: Session, sent: Numbered, answer: pb.ReportedResult, codes: set[Exit]) -> str:
    """Tell an answer as far as it is to be told; return its name, and note the exit code of a refusal."""
    if session.out.as_json:
        session.out.values({"job_id": sent.report.job_id, **values_of(answer)})
    if not answer.HasField("error"):
        return _name_of(answer.disposition)
    reason = answer.error.reason
    not_found = answer.error.code == grpc.StatusCode.NOT_FOUND.value[0]
    codes.add(Exit.NOT_FOUND if not_found else Exit.REFUSED)
    advice = cli_errors.ADVICE.get(reason, reason)
    typer.echo(f"batchprogress: line {sent.line}: {clean(answer.error.message)}: {advice}", err=True)
    return REFUSED


def _name_of(disposition: pb.Disposition.ValueType) -> str:
    return pb.Disposition.Name(disposition).removeprefix("DISPOSITION_").lower().replace("_", " ")
