"""Servers on the nodes of a cluster, workers that report to them, and watchers, while something fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import grpc

from batches.result import JobOutcome
from batchprogress.v1 import progress_pb2 as pb
from tests.cluster.answers import Answers, Observer
from tests.faults.calling import call_until_answered
from tests.faults.channels import open_channels
from tests.faults.conftest import FULL
from tests.faults.ledger import Job, Ledger, Sighting
from tests.faults.workload import OUTCOME_WEIGHTS, OUTCOMES, Workers, watch_to_the_end
from tests.support.progress import Stub, progress_process, served, stub_of

HOT = "hot"
"""The batch of half of the reports."""
BATCHES = (HOT, *(f"batch-{number}" for number in range(10)))
BATCH_WEIGHTS = (10, *(1 for _ in range(10)))
SERVING_AGAIN_SECONDS_MAX = 60.0
"""After this time a server is not waited for: the promise is 10 s."""
SCENARIO_SECONDS_MAX = 240.0
"""A scenario that takes longer waits for something that will not happen. Most take a minute."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and the answers that its workers got."""

    port: int
    channel: grpc.aio.Channel
    answers: Answers

    @property
    def stub(self) -> Stub:
        """A client."""
        return stub_of(self.channel)


@dataclass(frozen=True, slots=True)
class Load:
    """Workers that report new jobs to each server until the fault is over."""

    servers: Sequence[Server]
    order: random.Random
    total: Answers
    ledger: Ledger = field(default_factory=Ledger)
    again_seconds: list[float] = field(default_factory=list)
    """How long it took each time until every server acknowledged again."""
    _numbers: Iterator[int] = field(default_factory=count)

    async def run(self, workers: Sequence[int], fault: Awaitable[None]) -> None:
        """Report with some workers at each server until the fault is over, then end all batches.

        Args:
            workers: The number of workers at each server.
            fault: What happens meanwhile.

        """
        await self.create()
        watching = [
            asyncio.create_task(watch_to_the_end(server.stub, Sighting(self.ledger, HOT)))
            for server in self.servers
        ]
        happening = asyncio.ensure_future(fault)
        self.begin()
        async with asyncio.timeout(SCENARIO_SECONDS_MAX):
            await self.work(workers, happening)
            await happening
            await self.seal()
            ends = await asyncio.gather(*watching)
        seen = {(end.state, end.succeeded_jobs + end.failed_jobs + end.skipped_jobs) for end in ends}
        expected = {(pb.BATCH_STATE_COMPLETED, self.ledger.attempted_jobs[HOT])}
        assert seen == expected, f"watchers saw {seen} at the end, not {expected}"

    async def work(self, workers: Sequence[int], until: asyncio.Future[None]) -> None:
        """Report with some workers at each server, and measure until then; a failure of `until` ends them."""
        until.add_done_callback(self._end)
        async with asyncio.TaskGroup() as working:
            for place, number in enumerate(workers):
                for _ in range(number):
                    working.create_task(self._work(place, until))
            await until

    async def create(self) -> None:
        """Create the batches, without a total."""
        for batch_id in BATCHES:
            request = pb.CreateBatchRequest(batch_id=batch_id, sealed=False)
            await call_until_answered(self.servers[0].stub.CreateBatch, request)

    async def seal(self) -> None:
        """Seal the batches, which ends them."""
        for batch_id in BATCHES:
            await call_until_answered(self.servers[0].stub.SealBatch, pb.SealBatchRequest(batch_id=batch_id))

    async def more_answers_of_each(self) -> None:
        """Wait until each server has acknowledged a report again, and note how long it took."""
        clock = asyncio.get_running_loop().time
        start = clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(SERVING_AGAIN_SECONDS_MAX):
                await asyncio.gather(*(server.answers.next_acknowledgement() for server in self.servers))
        self.again_seconds.append(clock() - start)

    def draw(self) -> tuple[Job, JobOutcome]:
        """Draw the batch and the outcome of a new job."""
        [batch_id] = self.order.choices(BATCHES, weights=BATCH_WEIGHTS)
        [outcome] = self.order.choices(OUTCOMES, weights=OUTCOME_WEIGHTS)
        return (batch_id, f"job-{next(self._numbers)}"), outcome

    async def send(self, place: int, job: Job, outcome: JobOutcome) -> None:
        """Send a report to one server until it is answered."""
        server = self.servers[place]
        await Workers(self.ledger, [server.channel], 1).send(server.stub, job, outcome)

    def begin(self) -> None:
        """Count the time without an acknowledgement from now on."""
        for answers in (self.total, *(server.answers for server in self.servers)):
            answers.begin()

    async def _work(self, place: int, until: asyncio.Future[None]) -> None:
        while not until.done():
            await self.send(place, *self.draw())

    def _end(self, _: asyncio.Future[None]) -> None:
        for answers in (self.total, *(server.answers for server in self.servers)):
            answers.end()


@asynccontextmanager
async def load_on(urls: Sequence[str], order: random.Random) -> AsyncIterator[Load]:
    """Run a server on each of these URLs while the context is open."""
    total = Answers()

    async def serve(stack: AsyncExitStack, url: str) -> Server:
        if FULL:
            port = (await stack.enter_async_context(progress_process(url))).port
        else:  # in this process, since three more would take longer to start than most scenarios
            port = (await stack.enter_async_context(served(url))).port
        answers = Answers()
        [channel] = await stack.enter_async_context(
            open_channels([port], 1, interceptors=[Observer(answers, total)])
        )
        return Server(port, channel, answers)

    async with AsyncExitStack() as stack:
        yield Load([await serve(stack, url) for url in urls], order, total)
