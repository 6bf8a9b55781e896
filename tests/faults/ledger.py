"""What workers attempted and which answers they got, and what follows for the rows.

Modelled on Jepsen's set and counter checkers: acknowledged ⊆ rows ⊆ attempted, no job is recorded twice, and
every count that a watcher sees lies between what was acknowledged and what was attempted at that time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from batches.result import JobOutcome
from tests.faults.goals import Goals

Job = tuple[str, str]
"""batch_id and job_id."""


@dataclass(slots=True)
class Ledger:
    """The reports of one test; workers note each before it is sent and after it is answered."""

    attempted: dict[Job, JobOutcome] = field(default_factory=dict)
    acknowledged: set[Job] = field(default_factory=set)
    recorded: Counter[Job] = field(default_factory=Counter)
    """How often a job was answered with RECORDED; more than once is a double count."""
    reports: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Final answers other than OK, by code and reason."""
    attempted_jobs: Counter[str] = field(default_factory=Counter)
    """Jobs attempted so far, by batch."""
    acknowledged_jobs: Counter[str] = field(default_factory=Counter)
    """Jobs acknowledged so far, by batch."""

    answers: int = 0
    """The number of reports answered with OK, duplicates included."""
    _reports_awaited: Goals = field(default_factory=Goals)
    _answers_awaited: Goals = field(default_factory=Goals)

    async def more_reports(self, number: int) -> None:
        """Wait until `number` more reports were started, so that faults happen under load."""
        await self._reports_awaited.wait(self.reports + number)

    async def more_answers(self, number: int) -> None:
        """Wait until `number` more reports were answered with OK."""
        await self._answers_awaited.wait(self.answers + number)

    def attempt(self, job: Job, outcome: JobOutcome) -> None:
        """Note a report before it is sent."""
        self.reports += 1
        self._reports_awaited.reached(self.reports)
        if job not in self.attempted:
            self.attempted[job] = outcome
            self.attempted_jobs[job[0]] += 1

    def acknowledge(self, job: Job, *, first: bool) -> None:
        """Note that a report was answered with OK; `first` means that its disposition is RECORDED."""
        self.answers += 1
        self._answers_awaited.reached(self.answers)
        if first:
            self.recorded[job] += 1
        if job not in self.acknowledged:
            self.acknowledged.add(job)
            self.acknowledged_jobs[job[0]] += 1

    def forget(self, batch_id: str) -> None:
        """Forget the reports of a batch that was replaced or deleted: its rows are gone."""
        self.attempted = {job: outcome for job, outcome in self.attempted.items() if job[0] != batch_id}
        self.acknowledged = {job for job in self.acknowledged if job[0] != batch_id}
        self.recorded = Counter({job: number for job, number in self.recorded.items() if job[0] != batch_id})


@dataclass(frozen=True, slots=True)
class Findings:
    """All violations; there are none if every list is empty."""

    lost: list[Job]
    """Acknowledged jobs without a row."""
    invented: list[Job]
    """Rows of jobs that were never reported."""
    doubled: list[Job]
    """Jobs answered with RECORDED more than once."""
    changed: list[Job]
    """Rows with another outcome than the reported one."""
    miscounted: list[str]
    """Batches whose counters differ from their rows."""

    def __bool__(self) -> bool:
        """Return whether there is a violation."""
        return any((self.lost, self.invented, self.doubled, self.changed, self.miscounted))


def compare(ledger: Ledger, rows: Mapping[Job, JobOutcome], miscounted: Iterable[str]) -> Findings:
    """Compare the answers that workers got with the rows in the database."""
    return Findings(
        lost=sorted(ledger.acknowledged - rows.keys()),
        invented=sorted(rows.keys() - ledger.attempted.keys()),
        doubled=sorted(job for job, times in ledger.recorded.items() if times > 1),
        changed=sorted(job for job, outcome in rows.items() if ledger.attempted.get(job, outcome) != outcome),
        miscounted=sorted(miscounted),
    )


@dataclass(slots=True)
class Sighting:
    """The states of one batch that a watcher saw, compared with the ledger."""

    ledger: Ledger
    batch_id: str
    last_revision: int = 0
    last_ended: int = 0
    untrue: list[str] = field(default_factory=list)
    messages: int = 0

    def see(self, revision: int, ended: int) -> None:
        """Compare a message on its arrival with the previous one and with the attempts so far."""
        self.messages += 1
        attempted = self.ledger.attempted_jobs[self.batch_id]
        if revision <= self.last_revision:
            self.untrue.append(f"revision {revision} after {self.last_revision}")
        if ended < self.last_ended:
            self.untrue.append(f"{ended} ended after {self.last_ended}")
        if ended > attempted:
            self.untrue.append(f"{ended} ended of {attempted} attempted")
        self.last_revision, self.last_ended = revision, ended
