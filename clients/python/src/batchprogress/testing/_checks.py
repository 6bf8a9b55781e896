"""Checks the fields of requests as the server does: all violations of one at once. Pure."""

import re
from collections.abc import Mapping

import grpc
from google.protobuf.duration_pb2 import Duration

from batchprogress._limits import ATTEMPT_MAX, FAILED_PERCENT_MAX, IDENTIFIER, IDENTIFIER_RULE, JOBS_MAX
from batchprogress._reporting.buffer import CALL_REPORTS_MAX
from batchprogress.errors import FieldViolation
from batchprogress.testing._refusals import Refused
from batchprogress.v1 import progress_pb2 as pb

LABELS_MAX = 32
DISPLAY_NAME_CHARACTERS_MAX = 200
LABEL_VALUE_CHARACTERS_MAX = 200
REVISION_MAX = 2**63 - 1
INTERVAL_SECONDS_MAX = 60
"""Limits of the contract that only this file checks; the others are in batchprogress._limits."""

_LABEL_KEY = re.compile(r"[A-Za-z0-9._/-]{1,63}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_STATES = {pb.BATCH_STATE_PROCESSING, pb.BATCH_STATE_COMPLETED, pb.BATCH_STATE_CANCELLED}
_OUTCOMES = {pb.JOB_OUTCOME_SUCCEEDED, pb.JOB_OUTCOME_FAILED, pb.JOB_OUTCOME_SKIPPED}
_IF_ENDED = {pb.IF_ENDED_UNSPECIFIED, pb.IF_ENDED_ERROR, pb.IF_ENDED_REPLACE}
YEAR_1_SECONDS, YEAR_10000_SECONDS = -62_135_596_800, 253_402_300_800
"""The limits of google.protobuf.Timestamp."""


class _Checks:
    """Collects the violations of one request."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def that(self, field: str, is_valid: bool, rule: str) -> None:  # noqa: FBT001  # what is checked
        if not is_valid:
            self._violations.append(FieldViolation(field, rule))

    def identifier(self, field: str, value: str) -> None:
        self.that(field, IDENTIFIER.fullmatch(value) is not None, f"must be {IDENTIFIER_RULE}")

    def between(self, field: str, value: float, least: int, most: int, unit: str = "") -> None:
        self.that(field, least <= value <= most, f"must be from {least} to {most}{unit}")

    def page(self, size: int) -> None:
        self.that("page_size", size >= 0, "must not be negative")

    def labels(self, labels: Mapping[str, str]) -> None:
        self.that("labels", len(labels) <= LABELS_MAX, f"must have at most {LABELS_MAX} entries")
        keys_rule = "keys must be 1 to 63 characters from a-z A-Z 0-9 . _ / -"
        self.that("labels", all(_LABEL_KEY.fullmatch(key) for key in labels), keys_rule)
        values_rule = f"values must have at most {LABEL_VALUE_CHARACTERS_MAX} characters"
        are_short = all(len(value) <= LABEL_VALUE_CHARACTERS_MAX for value in labels.values())
        self.that("labels", are_short, values_rule)

    def intervals(self, request: pb.WatchBatchRequest | pb.WatchBatchesRequest) -> None:
        self.between("min_interval", seconds_of(request.min_interval), 0, INTERVAL_SECONDS_MAX, " s")
        if request.HasField("heartbeat_interval"):
            seconds = seconds_of(request.heartbeat_interval)
            self.between("heartbeat_interval", seconds, 1, INTERVAL_SECONDS_MAX, " s, or unset")

    def refusal(self) -> Refused | None:
        if not self._violations:
            return None
        names = ", ".join(one.field for one in self._violations)
        code = grpc.StatusCode.INVALID_ARGUMENT
        return Refused(code, "INVALID_FIELD", f"invalid: {names}", self._violations)

    def done(self) -> None:
        if refusal := self.refusal():
            raise refusal


def check_batch_id(batch_id: str) -> str:
    """Check the id of a batch and return it."""
    checks = _Checks()
    checks.identifier("batch_id", batch_id)
    checks.done()
    return batch_id


def check_creation(request: pb.CreateBatchRequest) -> None:
    """Check CreateBatch; the batch has an id."""
    checks = _Checks()
    checks.that("if_ended", request.if_ended in _IF_ENDED, "must be ERROR or REPLACE, or unset")
    if request.request_id or request.if_ended:
        checks.identifier("request_id", request.request_id)
    checks.identifier("batch_id", request.batch_id)
    checks.between("total_jobs", request.total_jobs, 0, JOBS_MAX)
    name_rule = f"must have at most {DISPLAY_NAME_CHARACTERS_MAX} characters"
    checks.that("display_name", len(request.display_name) <= DISPLAY_NAME_CHARACTERS_MAX, name_rule)
    checks.labels(request.labels)
    if request.HasField("failure_limit"):
        _check_limit(checks, request.failure_limit)
    checks.done()


def _check_limit(checks: _Checks, limit: pb.FailureLimit) -> None:
    match limit.WhichOneof("limit"):
        case "jobs":
            checks.between("failure_limit.jobs", limit.jobs, 0, JOBS_MAX)
        case "percent":
            checks.between("failure_limit.percent", limit.percent, 0, FAILED_PERCENT_MAX)
        case _:
            checks.that("failure_limit", is_valid=False, rule="must have jobs or percent")


def check_addition(request: pb.AddJobsRequest) -> None:
    """Check AddJobs."""
    checks = _Checks()
    checks.identifier("batch_id", request.batch_id)
    checks.between("additional_jobs", request.additional_jobs, 1, JOBS_MAX)
    checks.identifier("request_id", request.request_id)
    checks.done()


def check_report(request: pb.ReportJobResultRequest) -> Refused | None:
    """Check one report; a refusal is returned, since it must not fail the other reports of its call."""
    checks = _Checks()
    checks.that("outcome", request.outcome in _OUTCOMES, "must be SUCCEEDED, FAILED or SKIPPED")
    checks.identifier("batch_id", request.batch_id)
    checks.identifier("job_id", request.job_id)
    checks.between("attempt", request.attempt or 1, 1, ATTEMPT_MAX)
    return checks.refusal()


def check_reports(request: pb.ReportJobResultsRequest) -> None:
    """Check the number of reports of a call."""
    checks = _Checks()
    checks.between("results", len(request.results), 1, CALL_REPORTS_MAX)
    checks.done()


def check_batches(request: pb.ListBatchesRequest) -> None:
    """Check ListBatches."""
    checks = _Checks()
    is_state = not request.state or request.state in _STATES
    checks.that("state", is_state, "must be PROCESSING, COMPLETED or CANCELLED, or unset")
    checks.labels(request.labels)
    checks.page(request.page_size)
    prefix = request.batch_id_prefix
    rule = f"must be {IDENTIFIER_RULE}, or unset"
    checks.that("batch_id_prefix", not prefix or IDENTIFIER.fullmatch(prefix) is not None, rule)
    time_rule = "must be a time from the year 1 to the year 9999, or unset"
    for name, time in (("created_from", request.created_from), ("created_before", request.created_before)):
        checks.that(name, YEAR_1_SECONDS <= time.seconds < YEAR_10000_SECONDS, time_rule)
    checks.done()


def check_results(request: pb.ListJobResultsRequest) -> None:
    """Check ListJobResults."""
    checks = _Checks()
    checks.identifier("batch_id", request.batch_id)
    is_outcome = not request.outcome or request.outcome in _OUTCOMES
    checks.that("outcome", is_outcome, "must be SUCCEEDED, FAILED or SKIPPED, or unset")
    checks.page(request.page_size)
    is_fingerprint = not request.fingerprint or _FINGERPRINT.fullmatch(request.fingerprint) is not None
    checks.that("fingerprint", is_fingerprint, "must be the fingerprint of a failure group, or unset")
    if request.job_id_prefix:
        checks.identifier("job_id_prefix", request.job_id_prefix)
    checks.done()


def check_job(request: pb.GetJobResultRequest) -> None:
    """Check GetJobResult."""
    checks = _Checks()
    checks.identifier("batch_id", request.batch_id)
    checks.identifier("job_id", request.job_id)
    checks.done()


def check_page(batch_id: str, page_size: int) -> None:
    """Check a request for a page of a batch's lists."""
    checks = _Checks()
    checks.identifier("batch_id", batch_id)
    checks.page(page_size)
    checks.done()


def check_watch(request: pb.WatchBatchRequest) -> None:
    """Check WatchBatch."""
    checks = _Checks()
    checks.intervals(request)
    checks.identifier("batch_id", request.batch_id)
    checks.between("after_revision", request.after_revision, 0, REVISION_MAX)
    checks.done()


def check_watch_of_many(request: pb.WatchBatchesRequest) -> None:
    """Check WatchBatches; its token is read later."""
    checks = _Checks()
    checks.labels(request.labels)
    if request.batch_id_prefix:
        checks.identifier("batch_id_prefix", request.batch_id_prefix)
    checks.intervals(request)
    checks.done()


def seconds_of(duration: Duration) -> float:
    """Return a duration in seconds."""
    return duration.seconds + duration.nanos / 1e9
