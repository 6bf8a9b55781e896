"""Reports as lines of JSON, read as they arrive and divided into calls."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from batchprogress._calls.convert import OUTCOME_NUMBERS
from batchprogress._limits import ATTEMPT_MAX, IDENTIFIER, IDENTIFIER_RULE
from batchprogress._reporting.buffer import CALL_REPORTS_MAX, Report
from batchprogress._reporting.fields import (
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
    clip,
)
from batchprogress.cli.cli_errors import CommandError, ExitCode
from batchprogress.models import JobOutcome

READ_BYTES_MAX = 1024 * 1024
"""The size of a read: with the batch's id added to each line it still fits into a call of 4 MiB."""
LINE_BYTES_MAX = 1024 * 1024
"""Far more than the longest report: a longer line means that the input is not made of lines."""
_FIELDS = frozenset({"batch_id", "job_id", "outcome", "attempt", "error_type", "error", "display_name"})


@dataclass(frozen=True, slots=True)
class NumberedReport:
    """A report and the number of its line, from 1."""

    line: int
    report: Report


def calls_in(file: io.BufferedReader, batch_id: str | None) -> Iterator[list[NumberedReport]]:
    """Yield the reports of a file in calls: the lines that are there, as many as a call may carry.

    Args:
        file: the lines.
        batch_id: the batch of the lines that name none; None if each line has to name its batch.

    Yields:
        The reports of a call.

    Raises:
        CommandError: a line is not a report; the lines before it were yielded.

    """
    call: list[NumberedReport] = []
    number = 0
    for lines in _read(file):
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                call.append(NumberedReport(number, report_in(line, batch_id)))
            except ValueError as error:
                if call:
                    yield call
                raise CommandError(
                    f"line {number} is not a report: {error}. The lines before it were sent, it and the lines"
                    " after it were not: correct it and send all lines again, none is counted twice",
                    ExitCode.USAGE,
                ) from error
            if len(call) == CALL_REPORTS_MAX:
                yield call
                call = []
        if call:
            yield call
            call = []


def report_in(line: bytes, batch_id: str | None) -> Report:
    """Return the report in a line; the batch is that of a line that names none.

    Raises:
        ValueError: the line is not a report; the message says why.

    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):  # of thousands of brackets in each other
        raise ValueError("it is not JSON") from None
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004  # the line is wrong, not the caller
    if unknown := sorted(values.keys() - _FIELDS):
        raise ValueError(f"there is no field {unknown[0]!r}")
    if batch_id is None and "batch_id" not in values:
        raise ValueError("it names no batch_id, and no ID is given as an argument")
    outcome, attempt = values.get("outcome"), values.get("attempt", 1)
    if not isinstance(outcome, str) or outcome not in list(JobOutcome):
        raise ValueError(f"outcome must be one of {', '.join(JobOutcome)}")
    if type(attempt) is not int or not 1 <= attempt <= ATTEMPT_MAX:
        raise ValueError(f"attempt must be from 1 to {ATTEMPT_MAX}")
    return Report(
        batch_id=_identifier({"batch_id": batch_id, **values}, "batch_id"),
        job_id=_identifier(values, "job_id"),
        outcome=OUTCOME_NUMBERS[JobOutcome(outcome)],
        attempt=attempt,
        error_type=_text(values, "error_type", ERROR_TYPE_CHARACTERS_MAX),
        error_message=_text(values, "error", ERROR_MESSAGE_CHARACTERS_MAX),
        display_name=_text(values, "display_name", JOB_NAME_CHARACTERS_MAX),
    )


def _identifier(values: dict[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or IDENTIFIER.fullmatch(value) is None:
        raise ValueError(f"{name} must be a string of {IDENTIFIER_RULE}")
    return value


def _text(values: dict[str, object], name: str, characters_max: int) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")  # noqa: TRY004  # the line is wrong, not the caller
    return clip(value, characters_max)


def _read(file: io.BufferedReader) -> Iterator[list[bytes]]:
    """Yield whole lines, as many as there are at a time: a pipe may be quiet for hours."""
    rest = b""
    while chunk := file.read1(READ_BYTES_MAX):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise CommandError(
                "a line of the input is longer than any report: put one object on each line", ExitCode.USAGE
            )
        yield lines
    yield [rest] if rest else []
