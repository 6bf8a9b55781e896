"""Steps of the tests of recording."""

from collections.abc import Sequence

from batches.batch import Batch
from batches.errors import BatchError
from batches.recording import Recording, record
from batches.result import Disposition, JobResult, ResultSource
from tests.support.samples import WORKER, Stored


def recorded(
    batch: Batch,
    reports: Sequence[JobResult],
    before: Stored | None = None,
    source: ResultSource = WORKER,
) -> Recording:
    """Record results of one batch."""
    return record([batch], before or {}, reports, source)


def verdicts(recording: Recording) -> list[Disposition | type[BatchError]]:
    """Return the verdicts, errors as their class."""
    return [one if isinstance(one, Disposition) else type(one) for one in recording.verdicts]
