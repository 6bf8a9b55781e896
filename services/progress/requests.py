"""From messages of the contract to the domain; all violations of a message are reported at once."""

import re
from typing import Protocol
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration

from batches.batch import (
    DISPLAY_NAME_CHARACTERS_MAX,
    LABEL_KEY_CHARACTERS_MAX,
    LABEL_VALUE_CHARACTERS_MAX,
    TOTAL_JOBS_MAX,
)
from batches.error_details import cut_details
from batches.failure_limit import FailureLimit
from batches.fingerprint import FINGERPRINT_DIGITS, from_text
from batches.listing import ResultFilter
from batches.new_batch import IfEnded, NewBatch
from batches.result import (
    ATTEMPT_MAX,
    ERROR_MESSAGE_CHARACTERS_MAX,
    ERROR_TYPE_CHARACTERS_MAX,
    JOB_NAME_CHARACTERS_MAX,
    JobOutcome,
    JobResult,
)
from batches.webhook_url import origin_of
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1.operations_pb2 import ListPassesRequest
from rpc.answers.fields import PAGE_SIZE_DEFAULT, FieldChecks, is_identifier
from rpc.answers.refusal import Refusal

LABELS_MAX = 32
LABELS_RULE = f"must have at most {LABELS_MAX} entries"
LABEL_KEY = re.compile(rf"[A-Za-z0-9._/-]{{1,{LABEL_KEY_CHARACTERS_MAX}}}")
RESULTS_MAX = 10_000
"""With short errors some 1 MiB, and a tenth of a second of work; more would delay the groups of others."""
RESULTS_RULE = f"must be from 1 to {RESULTS_MAX}"
FAILED_PERCENT_MAX = 99
"""100 percent cannot be exceeded."""
PAGE_SIZE_MAX = 1_000
FAILURE_GROUPS_DEFAULT = 100
"""Groups on a page for clients that do not ask for a size: those of 0.1 were sent at most so many."""
FINGERPRINT = re.compile(f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}")
WATCH_TOKEN_SECONDS_MIN = 10
WATCH_TOKEN_SECONDS_MAX = 24 * 3_600
"""A working day and a night: a watch token cannot be revoked."""
WATCH_TOKEN_SECONDS_DEFAULT = 3_600
"""As long as a person looks at a page; a page that needs longer asks for another token."""

_OUTCOMES = {int(outcome): outcome for outcome in JobOutcome}
_IF_ENDED = {int(choice): choice for choice in IfEnded}


class _NamesBatch(Protocol):
    """Any request about one batch."""

    batch_id: str


class _NamesPage(_NamesBatch, Protocol):
    """Any request for a page of a list of a batch."""

    page_size: int


def to_batch_id(message: _NamesBatch) -> str:
    """Check a request in which only the batch_id needs a check."""
    checks = FieldChecks()
    batch_id = checks.identifier("batch_id", message.batch_id)
    checks.done()
    return batch_id


def to_new_batch(message: pb.CreateBatchRequest, batch_prefix: str = "") -> NewBatch:
    """Check CreateBatch; a request without an id gets a new one that begins with the prefix."""
    checks = FieldChecks()
    if message.if_ended not in _IF_ENDED:
        checks.reject("if_ended", "must be ERROR or REPLACE, or unset")
    if message.request_id or message.if_ended:
        checks.identifier("request_id", message.request_id)
    new = NewBatch(
        batch_id=checks.identifier("batch_id", message.batch_id or f"{batch_prefix}{uuid4()}"),
        total_jobs=checks.between("total_jobs", message.total_jobs, 0, TOTAL_JOBS_MAX),
        sealed=message.sealed if message.HasField("sealed") else True,
        display_name=checks.text("display_name", message.display_name, DISPLAY_NAME_CHARACTERS_MAX),
        labels=checked_labels(checks, dict(message.labels)),
        request_id=message.request_id or None,
        if_ended=_IF_ENDED.get(message.if_ended, IfEnded.RETURN),
        failure_limit=_failure_limit(checks, message.failure_limit)
        if message.HasField("failure_limit")
        else None,
        notify_url=_notify_url(checks, message.notify_url) if message.notify_url else None,
    )
    checks.done()
    return new


def to_addition(message: pb.AddJobsRequest) -> tuple[str, int, str]:
    """Check AddJobs; return batch_id, additional_jobs and request_id."""
    checks = FieldChecks()
    batch_id = checks.identifier("batch_id", message.batch_id)
    additional_jobs = checks.between("additional_jobs", message.additional_jobs, 1, TOTAL_JOBS_MAX)
    request_id = checks.identifier("request_id", message.request_id)
    checks.done()
    return batch_id, additional_jobs, request_id


def to_result(message: pb.ReportJobResultRequest) -> JobResult | Refusal:
    """Check one report. A refusal is returned, not raised, since it must not fail the other reports."""
    outcome = _OUTCOMES.get(message.outcome)
    batch_id, job_id, attempt = message.batch_id, message.job_id, message.attempt or 1
    if outcome is None or not (
        is_identifier(batch_id) and is_identifier(job_id) and 1 <= attempt <= ATTEMPT_MAX
    ):
        return _refusal_of(message)
    return JobResult(  # by position, which takes a third of the time
        batch_id,
        job_id,
        outcome,
        attempt,
        message.error_type[:ERROR_TYPE_CHARACTERS_MAX],
        message.error_message[:ERROR_MESSAGE_CHARACTERS_MAX],
        message.display_name[:JOB_NAME_CHARACTERS_MAX],
        cut_details(message.error_details),
    )


def _refusal_of(message: pb.ReportJobResultRequest) -> Refusal:
    """Return the refusal of a report that is invalid, with all that is wrong with it."""
    checks = FieldChecks()
    if message.outcome not in _OUTCOMES:
        checks.reject("outcome", "must be SUCCEEDED, FAILED or SKIPPED")
    checks.identifier("batch_id", message.batch_id)
    checks.identifier("job_id", message.job_id)
    checks.between("attempt", message.attempt or 1, 1, ATTEMPT_MAX)
    return checks.refused()


def to_size(message: pb.ReportJobResultsRequest) -> int:
    """Check the number of reports, and return it."""
    checks = FieldChecks()
    size = len(message.results)
    if not 1 <= size <= RESULTS_MAX:
        checks.reject("results", RESULTS_RULE)
    checks.done()
    return size


def to_result_filter(message: pb.ListJobResultsRequest) -> tuple[str, ResultFilter, int]:
    """Check ListJobResults; return batch_id, filter and page size."""
    checks = FieldChecks()
    batch_id = checks.identifier("batch_id", message.batch_id)
    if message.outcome and message.outcome not in _OUTCOMES:
        checks.reject("outcome", "must be SUCCEEDED, FAILED or SKIPPED, or unset")
    size = checks.page_size(message.page_size, PAGE_SIZE_MAX)
    if message.fingerprint and FINGERPRINT.fullmatch(message.fingerprint) is None:
        checks.reject("fingerprint", "must be the fingerprint of a failure group, or unset")
    if prefix := message.job_id_prefix:
        checks.identifier("job_id_prefix", prefix)
    checks.done()
    fingerprint = from_text(message.fingerprint) if message.fingerprint else None
    return batch_id, ResultFilter(_OUTCOMES.get(message.outcome), fingerprint, prefix), size


def to_job(message: pb.GetJobResultRequest) -> tuple[str, str]:
    """Check GetJobResult; return batch_id and job_id."""
    checks = FieldChecks()
    job = checks.identifier("batch_id", message.batch_id), checks.identifier("job_id", message.job_id)
    checks.done()
    return job


def to_page(message: _NamesPage, size_default: int = PAGE_SIZE_DEFAULT) -> tuple[str, int]:
    """Check a request for a page of a batch's lists; return batch_id and page size."""
    checks = FieldChecks()
    batch_id = checks.identifier("batch_id", message.batch_id)
    size = checks.page_size(message.page_size, PAGE_SIZE_MAX, size_default)
    checks.done()
    return batch_id, size


def to_page_size(message: ListPassesRequest) -> int:
    """Check ListPasses; return the page size."""
    checks = FieldChecks()
    size = checks.page_size(message.page_size, PAGE_SIZE_MAX)
    checks.done()
    return size


def to_watch_token(message: pb.CreateWatchTokenRequest) -> tuple[str, float]:
    """Check CreateWatchToken; return batch_id and the seconds for which the token is valid."""
    checks = FieldChecks()
    batch_id = checks.identifier("batch_id", message.batch_id)
    seconds = seconds_of(message.ttl) if message.HasField("ttl") else WATCH_TOKEN_SECONDS_DEFAULT
    if not WATCH_TOKEN_SECONDS_MIN <= seconds <= WATCH_TOKEN_SECONDS_MAX:
        rule = f"must be from {WATCH_TOKEN_SECONDS_MIN} to {WATCH_TOKEN_SECONDS_MAX} s, or unset"
        checks.reject("ttl", rule)
    checks.done()
    return batch_id, seconds


def checked_prefix(checks: FieldChecks, field: str, prefix: str) -> str:
    """Check the beginning of an identifier; it may be empty."""
    return checks.identifier(field, prefix) if prefix else ""


def seconds_of(duration: Duration) -> float:
    """Return a duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def _notify_url(checks: FieldChecks, url: str) -> str:
    try:
        origin_of(url)
    except ValueError as error:
        checks.reject("notify_url", str(error))
    return url


def _failure_limit(checks: FieldChecks, message: pb.FailureLimit) -> FailureLimit | None:
    match message.WhichOneof("limit"):
        case "jobs":
            return FailureLimit(jobs=checks.between("failure_limit.jobs", message.jobs, 0, TOTAL_JOBS_MAX))
        case "percent":
            percent = checks.between("failure_limit.percent", message.percent, 0, FAILED_PERCENT_MAX)
            return FailureLimit(percent=percent)
    checks.reject("failure_limit", "must have jobs or percent")
    return None


def checked_labels(checks: FieldChecks, labels: dict[str, str]) -> dict[str, str]:
    """Check labels, and return them."""
    if len(labels) > LABELS_MAX:
        checks.reject("labels", LABELS_RULE)
    if any(LABEL_KEY.fullmatch(key) is None for key in labels):
        checks.reject(
            "labels", f"keys must be 1 to {LABEL_KEY_CHARACTERS_MAX} characters from a-z A-Z 0-9 . _ / -"
        )
    if any(len(value) > LABEL_VALUE_CHARACTERS_MAX for value in labels.values()):
        checks.reject("labels", f"values must have at most {LABEL_VALUE_CHARACTERS_MAX} characters")
    return labels
