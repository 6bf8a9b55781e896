"""Reports as lines of JSON, read as they come and cut into calls."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from batchprogress._reporting.buffer import CALL_REPORTS_MAX, Report
from batchprogress._reporting.report_methods import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    clip,
)
from batchprogress.cli.arguments import IDENTIFIER, IDENTIFIER_RULE
from batchprogress.cli.cli_errors import Complaint, Exit
from batchprogress.v1 import progress_pb2 as pb

READ_BYTES_MAX = 1024 * 1024
"""Of one read: with the batch's id before each line it still fits into a call of 4 MiB."""
LINE_BYTES_MAX = 1024 * 1024
"""Far above the longest report: what is longer is no file of lines."""
ATTEMPT_MAX = 2**31 - 1
"""The contract's int32."""
OUTCOMES = {
    "succeeded": pb.JOB_OUTCOME_SUCCEEDED,
    "failed": pb.JOB_OUTCOME_FAILED,
    "skipped": pb.JOB_OUTCOME_SKIPPED,
}
_FIELDS = frozenset({"job_id", "outcome", "attempt", "error_type", "error"})


@dataclass(frozen=True, slots=True)
class Numbered:
    """A report, and the line it stood in."""

    line: int
    report: Report


def calls_in(file: io.BufferedReader, batch_id: str) -> Iterator[list[Numbered]]:
    """Yield the reports of a file in calls: those that are there already, as many as a call may carry.

    Raises:
        Complaint: a line is no report; those before it were yielded.

    """
    call: list[Numbered] = []
    number = 0
    for lines in _read(file):
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                call.append(Numbered(number, report_in(line, batch_id)))
            except ValueError as error:
                if call:
                    yield call
                raise Complaint(
                    f"line {number} is no report: {error}; the lines before it were sent, those after it not:"
                    " correct it and send all again, none is counted twice",
                    Exit.USAGE,
                ) from error
            if len(call) == CALL_REPORTS_MAX:
                yield call
                call = []
        if call:
            yield call
            call = []


def report_in(line: bytes, batch_id: str) -> Report:
    """Return the report in a line; raises ValueError with what is wrong."""
    try:
        values = json.loads(line)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # of the line, not of our caller
    if unknown := sorted(values.keys() - _FIELDS):
        raise ValueError(f"there is no field {unknown[0]!r}")
    job_id, outcome, attempt = values.get("job_id"), values.get("outcome"), values.get("attempt", 1)
    if not isinstance(job_id, str) or IDENTIFIER.fullmatch(job_id) is None:
        raise ValueError(f"job_id must be a string of {IDENTIFIER_RULE}")
    if not isinstance(outcome, str) or outcome not in OUTCOMES:
        raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}")
    if type(attempt) is not int or not 1 <= attempt <= ATTEMPT_MAX:
        raise ValueError(f"attempt must be from 1 to {ATTEMPT_MAX}")
    return Report(
        batch_id=batch_id,
        job_id=job_id,
        outcome=OUTCOMES[outcome],
        attempt=attempt,
        error_type=_text(values, "error_type", ERROR_TYPE_CHARACTERS_MAX),
        error_message=_text(values, "error", ERROR_MESSAGE_CHARACTERS_MAX),
    )


def _text(values: dict[str, object], name: str, characters_max: int) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")  # noqa: TRY004  # as above
    return clip(value, characters_max)


def _read(file: io.BufferedReader) -> Iterator[list[bytes]]:
    """Yield whole lines, as many as there are at a time: a pipe may be quiet for hours."""
    rest = b""
    while chunk := file.read1(READ_BYTES_MAX):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise Complaint(
                "a line of the input is longer than any report: give one object a line", Exit.USAGE
            )
        yield lines
    yield [rest] if rest else []
