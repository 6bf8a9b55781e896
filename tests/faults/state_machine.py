"""The state machine of fault 11: random calls and crashes of a server, compared with a minimal model."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Iterable
from contextlib import AsyncExitStack
from typing import Any, ClassVar, TypeVar

import grpc
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from batches.batch import Tally
from batches.new_batch import IfEnded
from batches.repair import RepairPlan
from batches.result import JobOutcome, JobResult
from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.drawn import BATCHES, CREATED, IF_ENDED, REQUESTS, RESULTS, SELDOM, Result
from tests.faults.ledger import Ledger
from tests.faults.model import Created, Model
from tests.support.answers import answered
from tests.support.progress import Served, served

TAKEN = frozenset({"RECORDED", "SUPERSEDED_EARLIER"})
"""The dispositions that change a batch."""
UPTIME_STEPS_MIN = 8
"""At least this many steps between crashes, which would otherwise take almost all of the time."""
CONNECTIONS_MAX = 1
"""Connections of the reconciler, which works sequentially."""

_numbers = itertools.count()
Value = TypeVar("Value")


class Contract(RuleBasedStateMachine):
    """Calls a real server and the model, and compares answers and states after each step."""

    url: ClassVar[str]
    ledger: ClassVar[Ledger]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        """Start a server; batches have new ids in every example."""
        super().__init__()
        self.models: dict[int, Model] = {}
        self.example = next(_numbers)
        self.uptime_steps = 0
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.database = Database(self.url, connections_max=CONNECTIONS_MAX)
        self.store = BatchStore(self.database)
        self.server: Served = self.run(self.stack.enter_async_context(served(self.url, drain_seconds=0)))

    def teardown(self) -> None:
        """Stop the server."""
        self.run(self.stack.aclose())
        self.run(self.database.close())
        self.runner.close()

    def run(self, work: Awaitable[Value]) -> Value:
        """Run a coroutine in the event loop of this example."""

        async def wait() -> Value:
            return await work

        return self.runner.run(wait())

    def name(self, batch: int) -> str:
        """Return a batch_id."""
        return f"example-{self.example}-{batch}"

    def call(self, call: Awaitable[Any]) -> Any:
        """Return the response, or the reason of the refusal."""
        try:
            return self.run(call)
        except grpc.aio.AioRpcError as error:
            return answered(error).reason

    def compare(self, batch: int) -> None:
        """Compare GetBatch of every batch with the model."""
        Contract.steps += 1
        self.uptime_steps += 1
        for one in {batch, *self.models}:
            found = self.call(self.server.stub.GetBatch(pb.GetBatchRequest(batch_id=self.name(one))))
            if one not in self.models:
                assert found == "BATCH_NOT_FOUND"
                continue
            expected = self.models[one].shown()
            assert {name: getattr(found.batch, name) for name in expected} == expected

    @initialize(created=CREATED)
    def begin(self, created: Created) -> None:
        """Create the first batch."""
        self.create(0, created)

    @rule(batch=BATCHES, created=CREATED, request=REQUESTS, if_ended=IF_ENDED)
    def create(
        self, batch: int, created: Created, request: int = 0, if_ended: IfEnded = IfEnded.RETURN
    ) -> None:
        """CreateBatch, with a new or an existing id, and a new or a used request_id."""
        known = self.models.get(batch)
        total, sealed, limit = created
        message = pb.CreateBatchRequest(
            batch_id=self.name(batch),
            total_jobs=total,
            sealed=sealed,
            request_id=f"request-{request}",
            if_ended=pb.IfEnded.ValueType(if_ended),
            failure_limit=None if limit is None else pb.FailureLimit(**dict([limit])),
        )
        answer = self.call(self.server.stub.CreateBatch(message))
        expected = "REPLACED" if known is None else known.create_again(created, request, if_ended)
        if expected == "REPLACED":
            self.ledger.forget(self.name(batch))
            self.models[batch] = Model(total, sealed, created, request)
            self.models[batch].settle()
        assert (answer if isinstance(answer, str) else "") == expected.replace("REPLACED", "")
        self.compare(batch)

    @rule(batch=BATCHES, more=st.integers(1, 3), request=REQUESTS)
    def add(self, batch: int, more: int, request: int) -> None:
        """AddJobs, with a new or a used request_id."""
        known = self.models.get(batch)
        message = pb.AddJobsRequest(
            batch_id=self.name(batch), additional_jobs=more, request_id=f"request-{request}"
        )
        answer = self.call(self.server.stub.AddJobs(message))
        if known is None:
            assert answer == "BATCH_NOT_FOUND"
        elif request in known.additions:
            assert (answer == "REQUEST_CONFLICT") == (known.additions[request] != more)
        elif known.cancelled or known.sealed:
            assert answer == ("BATCH_CANCELLED" if known.cancelled else "BATCH_SEALED")
        else:
            known.additions[request] = more
            known.announced += more
            known.changed()
        self.compare(batch)

    @rule(batch=BATCHES)
    def seal(self, batch: int) -> None:
        """SealBatch."""
        known = self.models.get(batch)
        answer = self.call(self.server.stub.SealBatch(pb.SealBatchRequest(batch_id=self.name(batch))))
        if known is None:
            assert answer == "BATCH_NOT_FOUND"
        elif not (known.sealed or known.cancelled):
            known.announced, known.sealed = known.total, True
            known.changed()
        self.compare(batch)

    @rule(batch=BATCHES)
    def cancel(self, batch: int) -> None:
        """CancelBatch."""
        known = self.models.get(batch)
        answer = self.call(self.server.stub.CancelBatch(pb.CancelBatchRequest(batch_id=self.name(batch))))
        if known is None or known.completed:
            assert answer == ("BATCH_NOT_FOUND" if known is None else "BATCH_COMPLETED")
        elif not known.cancelled:
            known.cancel_reason = "REQUESTED"
            known.changed()
        self.compare(batch)

    @rule(batch=BATCHES)
    def delete(self, batch: int) -> None:
        """DeleteBatch: also of a batch that does not exist, or has not ended."""
        known = self.models.get(batch)
        answer = self.call(self.server.stub.DeleteBatch(pb.DeleteBatchRequest(batch_id=self.name(batch))))
        if known is not None and not (known.cancelled or known.completed):
            assert answer == "BATCH_PROCESSING"
        else:
            assert answer == pb.DeleteBatchResponse()
            self.models.pop(batch, None)
            self.ledger.forget(self.name(batch))
        self.compare(batch)

    @rule(batch=BATCHES, result=RESULTS)
    def report(self, batch: int, result: Result) -> None:
        """ReportJobResult: new, duplicate, higher or lower attempt, conflict, late, beyond the total."""
        known = self.models.get(batch)
        (expected,) = self.take(batch, [result])
        answer = self.call(self.server.stub.ReportJobResult(self.message(batch, result)))
        if isinstance(answer, pb.ReportJobResultResponse) and known is not None:
            assert (answer.revision, answer.batch_state) == (known.revision, known.shown()["state"])
            answer = disposition_name(answer)
        assert answer == expected
        self.compare(batch)

    @rule(batch=BATCHES, results=st.lists(RESULTS, min_size=1, max_size=6))
    def report_many(self, batch: int, results: list[Result]) -> None:
        """ReportJobResults: several in one call, which is one change."""
        expected = self.take(batch, results)
        request = pb.ReportJobResultsRequest(results=[self.message(batch, one) for one in results])
        answer = self.call(self.server.stub.ReportJobResults(request))
        assert [one.error.reason or disposition_name(one) for one in answer.results] == expected
        self.compare(batch)

    def take(self, batch: int, results: Iterable[Result], *, repair: bool = False) -> list[str]:
        """Record results in the model as one change, and note the expected rows in the ledger."""
        known = self.models.get(batch)
        if known is None:
            return ["BATCH_NOT_FOUND" for _ in results]
        verdicts = []
        for job, attempt, outcome in results:
            verdicts.append(known.report(job, attempt, outcome, repair=repair))
            if verdicts[-1] in TAKEN:
                key = (self.name(batch), f"job-{job}")
                self.ledger.attempt(key, outcome)
                self.ledger.attempted[key] = outcome  # of the latest attempt
                self.ledger.acknowledge(key, first=verdicts[-1] == "RECORDED")
        if not TAKEN.isdisjoint(verdicts) and not repair:
            known.changed()
        return verdicts

    def message(self, batch: int, result: Result) -> pb.ReportJobResultRequest:
        """Return the request of a report."""
        job, attempt, outcome = result
        return pb.ReportJobResultRequest(
            batch_id=self.name(batch),
            job_id=f"job-{job}",
            outcome=pb.JobOutcome.ValueType(outcome),
            attempt=attempt,
        )

    @rule(
        batch=BATCHES,
        results=st.lists(RESULTS, max_size=3, unique_by=lambda result: result[0]),
        counts=st.none() | st.tuples(*[st.integers(0, 2)] * len(JobOutcome)),
        cancels=SELDOM,
        is_late=SELDOM,
    )
    def reconcile(
        self,
        batch: int,
        results: list[Result],
        counts: tuple[int, ...] | None,
        *,
        cancels: bool,
        is_late: bool,
    ) -> None:
        """Apply a plan of the reconciler: missing results, final counts, or both."""
        known = self.models.get(batch)
        if known is None:
            return
        counted = Tally(*counts) if counts else Tally()
        ended = known.tally.total() + len({job for job, _, _ in results} - known.rows.keys())
        plan = RepairPlan(
            self.name(batch),
            known.revision - is_late,
            "the queue says so",
            tuple(JobResult(self.name(batch), f"job-{job}", o, attempt) for job, attempt, o in results),
            closes=counts is not None,
            total_jobs=ended + counted.ended,
            unattributed=counted,
            cancels=cancels,
        )
        written = self.run(self.store.write_repair(plan))
        refused = is_late or known.completed or known.cancelled
        assert (written is None) == refused
        if not refused:
            self.repair(batch, known, plan, results)
        self.compare(batch)

    def repair(self, batch: int, known: Model, plan: RepairPlan, results: list[Result]) -> None:
        """Apply a plan to the model as one change."""
        if plan.closes:
            known.announced, known.sealed = plan.total_jobs, True
            known.cancel_reason = "QUEUE" if plan.cancels else ""
        verdicts = self.take(batch, results, repair=True)
        known.counted += Counter({one: plan.unattributed.of(one) for one in JobOutcome})
        if plan.closes or not TAKEN.isdisjoint(verdicts):
            known.changed()

    @precondition(lambda self: self.uptime_steps >= UPTIME_STEPS_MIN)
    @rule()
    def crash(self) -> None:
        """Stop the server and start another one on the same database."""
        self.uptime_steps = 0
        self.run(self.stack.aclose())
        self.server = self.run(self.stack.enter_async_context(served(self.url, drain_seconds=0)))
        self.compare(0)


def disposition_name(answer: pb.ReportJobResultResponse | pb.ReportedResult) -> str:
    """Return the name of a disposition in the model."""
    return pb.Disposition.Name(answer.disposition).removeprefix("DISPOSITION_")
