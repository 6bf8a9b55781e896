"""The fields of a report, cut to the limits of the contract."""

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.error_details import cut_details
from batchprogress.v1 import progress_pb2 as pb

ERROR_TYPE_CHARACTERS_MAX = 200
"""The contract's limit. The server cuts longer texts too, but until then they would fill our buffer."""
ERROR_MESSAGE_CHARACTERS_MAX = 2_000
"""The contract's limit, cut for the same reason."""
JOB_NAME_CHARACTERS_MAX = 200
"""The contract's limit, cut for the same reason."""


def to_report(  # noqa: PLR0913, PLR0917  # the fields of a report
    outcome: pb.JobOutcome.ValueType,
    job_id: str,
    batch_id: str,
    attempt: int,
    display_name: str,
    error: tuple[str, str, str] | None = None,
) -> Report:
    """Return a report; `error` is its type, its message and its details.

    Raises:
        TypeError, ValueError, AttributeError: a field is invalid, for example an integer as job_id.

    """
    report = Report(batch_id=batch_id, job_id=job_id, outcome=outcome, attempt=attempt)
    if display_name:
        report.display_name = clip(display_name, JOB_NAME_CHARACTERS_MAX)
    if error:
        error_type, message, details = error
        report.error_type = clip(error_type, ERROR_TYPE_CHARACTERS_MAX)
        report.error_message = clip(message, ERROR_MESSAGE_CHARACTERS_MAX)
        if details:
            report.error_details = cut_details(details)
    return report


def clip(text: str, characters_max: int) -> str:
    """Return the beginning of a text, with ? in place of characters that UTF-8 cannot encode."""
    return text[:characters_max].encode("utf-8", "replace").decode("utf-8")
