"""Groups the failures of a batch by similar errors, as the server does. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from batchprogress.testing._fingerprint import as_text, fingerprint_of, template_of
from batchprogress.v1 import progress_pb2 as pb


def fingerprint(result: pb.JobResult) -> str:
    """Return the fingerprint of a failure; empty if the job did not fail."""
    if result.outcome != pb.JOB_OUTCOME_FAILED:
        return ""
    return as_text(fingerprint_of(result.error_type, result.error_message))


def groups_of(results: Iterable[pb.JobResult]) -> list[pb.FailureGroup]:
    """Return the groups, the largest first.

    Args:
        results: in ascending order of their jobs.

    """
    failures: defaultdict[str, list[pb.JobResult]] = defaultdict(list)
    for result in results:
        if found := fingerprint(result):
            failures[found].append(result)
    groups = [
        pb.FailureGroup(
            error_type=sample.error_type,
            failed_jobs=1 + len(others),
            sample_error_message=sample.error_message,
            sample_job_id=sample.job_id,
            message_template=template_of(sample.error_message),
            fingerprint=found,
        )
        for found, (sample, *others) in failures.items()
    ]
    return sorted(groups, key=lambda group: (-group.failed_jobs, group.fingerprint))
