"""Groups of similar failures, counted when results are recorded. Pure.

The kinds of errors that come first, at most OWN_GROUPS_MAX of them, each get a group of their own. Failures
of all further kinds are counted in one more group, whose fingerprint is OTHER_KINDS. A group is never removed
while its batch exists, even if no job is left in it: so the group of a failure depends on its kind alone, and
a later attempt takes the failure off the group in which it was counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from batches.fingerprint import as_text
from batches.result import JobOutcome, JobResult

OWN_GROUPS_MAX = 1_000
"""More kinds of errors than anyone reads; the limit bounds the table and the cost of listing it."""
OTHER_KINDS = ""
"""The fingerprint of the group of all further kinds, as in the contract."""

Fingerprints = Mapping[tuple[str, str], int]
"""The fingerprints of errors, by error_type and error_message."""
Job = tuple[int, str]
"""A job, by batch_key and job_id."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The failed jobs of a batch whose errors are similar."""

    error_type: str
    failed_jobs: int
    message_template: str
    """The sample's message with placeholders; see batches.fingerprint."""
    sample_error_message: str
    sample_job_id: str
    """The first job of the group; empty if it has a later result and the next one was not found soon."""
    fingerprint: str
    """OTHER_KINDS, and only the number of jobs, for the group of all further kinds."""


@dataclass(frozen=True, slots=True)
class FailurePage:
    """Some of a batch's failure groups."""

    groups: list[FailureGroup]
    total_size: int
    """The number of groups on all pages."""


@dataclass(slots=True)
class GroupChange:
    """What a transaction changes in one group."""

    batch_key: int
    fingerprint: str
    failed_jobs: int = 0
    """The jobs that joined the group, less those that left it."""
    own_groups: int = 0
    """In the group of further kinds only: the groups of their own that the batch gets."""
    sample_job_id: str = ""
    """The first of the jobs."""
    error_type: str = ""
    sample_error_message: str = ""

    def add(self, result: JobResult) -> None:
        """Count a failure that joins the group."""
        self.failed_jobs += 1
        if not self.sample_job_id or result.job_id < self.sample_job_id:
            self.sample_job_id = result.job_id
            self.error_type = result.error_type
            self.sample_error_message = result.error_message


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """A recorded failure, as far as its replacement depends on it."""

    kind: int | None
    """The fingerprint of its error; None if the row was written without one."""
    has_details: bool


@dataclass(frozen=True, slots=True)
class StoredGroups:
    """What is stored about the groups that a transaction changes."""

    failed_jobs: Mapping[tuple[int, str], int]
    """The number of jobs of each group that exists, by batch_key and fingerprint."""
    own_groups: Mapping[int, int]
    """The number of groups of their own of each batch, by batch_key; none if it is missing."""


def changes_of(
    recorded: Iterable[tuple[int, JobResult]],
    superseded: Mapping[Job, StoredFailure],
    fingerprints: Fingerprints,
) -> list[GroupChange]:
    """Return how results change the groups of their own kinds.

    Args:
        recorded: The results that are written, each with its batch_key.
        superseded: The stored failures that they replace, by job.
        fingerprints: The fingerprints of the failures among the results.

    """
    changes: dict[tuple[int, str], GroupChange] = {}

    def change_of(batch_key: int, fingerprint: str) -> GroupChange:
        return changes.setdefault((batch_key, fingerprint), GroupChange(batch_key, fingerprint))

    for key, result in recorded:
        if result.outcome is JobOutcome.FAILED:
            kind = fingerprints[result.error_type, result.error_message]
            change_of(key, as_text(kind)).add(result)
    for (key, _), stored in superseded.items():
        change_of(key, OTHER_KINDS if stored.kind is None else as_text(stored.kind)).failed_jobs -= 1
    return list(changes.values())


def within_limit(changes: Iterable[GroupChange], stored: StoredGroups) -> list[GroupChange]:
    """Return the changes of the groups in which the failures are counted, in the order of the table.

    The most frequent of the new kinds get the groups of their own that are left.
    """
    others: dict[int, GroupChange] = {}
    own: list[GroupChange] = []
    for change in sorted(changes, key=lambda one: (-one.failed_jobs, one.fingerprint)):
        key = change.batch_key
        other = others.setdefault(key, GroupChange(key, OTHER_KINDS))
        is_new = change.fingerprint != OTHER_KINDS and (key, change.fingerprint) not in stored.failed_jobs
        if is_new and stored.own_groups.get(key, 0) + other.own_groups < OWN_GROUPS_MAX:
            other.own_groups += 1
            is_new = False
        if is_new or change.fingerprint == OTHER_KINDS:
            other.failed_jobs += change.failed_jobs
        else:
            own.append(change)
    changed = [one for one in others.values() if one.failed_jobs or one.own_groups]
    return sorted(own + changed, key=lambda one: (one.batch_key, one.fingerprint))


def in_order(tallies: Iterable["GroupTally"]) -> Sequence["GroupTally"]:
    """Return the groups that have jobs as they are listed: the largest first, further kinds last."""
    return sorted(
        (one for one in tallies if one.failed_jobs),
        key=lambda one: (one.fingerprint == OTHER_KINDS, -one.failed_jobs, one.fingerprint),
    )


@dataclass(frozen=True, slots=True)
class GroupTally:
    """The number of jobs of a group, and the first of them."""

    fingerprint: str
    failed_jobs: int
    first_job_id: str


class GroupCounter:
    """Counts the groups of failures that are read from the rows of a batch, in the order of their job ids.

    Args:
        own: The kinds that have a group of their own.
        own_groups_max: How many kinds may have one.

    """

    def __init__(self, own: Iterable[str] = (), own_groups_max: int = OWN_GROUPS_MAX) -> None:
        self._failed_jobs = dict.fromkeys(own, 0)
        self._own_groups_max = own_groups_max
        self._first: dict[str, str] = {}
        self._others = 0

    def add(self, kind: int | None, failed_jobs: int, first_job_id: str) -> None:
        """Count failures of one kind; None if their rows were written without a fingerprint."""
        fingerprint = OTHER_KINDS if kind is None else as_text(kind)
        is_own = fingerprint in self._failed_jobs or len(self._failed_jobs) < self._own_groups_max
        if fingerprint == OTHER_KINDS or not is_own:
            self._others += failed_jobs
            return
        self._failed_jobs[fingerprint] = self._failed_jobs.get(fingerprint, 0) + failed_jobs
        self._first.setdefault(fingerprint, first_job_id)

    def tallies(self) -> list[GroupTally]:
        """Return the groups; the last one is that of the further kinds."""
        own = [
            GroupTally(fingerprint, failed_jobs, self._first.get(fingerprint, ""))
            for fingerprint, failed_jobs in self._failed_jobs.items()
        ]
        return [*own, GroupTally(OTHER_KINDS, self._others, "")]
