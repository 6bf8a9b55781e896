"""Fault 13: the database answers, but cannot write: read-only, full, out of connections, wrong schema."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import grpc
import pytest
import pytest_asyncio
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from batchprogress.v1 import progress_pb2 as pb
from database_servers import DatabaseServer, Engine, database_server
from tests.faults.conftest import Target, Verdict
from tests.faults.ledger import Job, Ledger
from tests.faults.workload import Plan, Workers, create_batches, make_plan, report_of
from tests.support.answers import answered
from tests.support.progress import Stub, progress_process, stub_of

WORKERS = 50
SIZES = {"hot": 200, **{f"batch-{number}": 20 for number in range(10)}}
BEFORE, DURING = 100, 200
"""Reports before and during the trouble; together fewer than in the plan."""
LONG_MESSAGE = "x" * 2_000
"""The longest error message, so that these reports need more space than a page has left."""
CALL_SECONDS_MAX = 20.0
"""The limit of a transaction; these troubles are answered at once."""
SERVING_AGAIN_SECONDS_MAX = 10.0
"""The promise of the other database faults, here from the end of the trouble on."""

ACCOUNT = "application"
"""An account with all rights on its database and none on the server, as an application should have. Root may
write to a read-only server, and has a reserved connection."""
CONNECTIONS_LEFT = 10
"""The lowest max_connections that MariaDB accepts."""
DISK = "ibdata1:12M"
"""A tablespace that cannot grow, like a disk that is almost full."""
ADD_BALLAST = "INSERT INTO ballast (filler) VALUES (REPEAT('x', 7000))"
"""Two of these rows fill a page of 16 KiB."""
BALLAST_ROWS_MAX = 2_000
"""14 MB, more than there is space for."""
TABLE_FULL = 1114
"""The error of a full tablespace; a full disk gives the same one, or 1021."""

TRY_AGAIN_SECONDS = 0.1
"""Between two attempts after the end of the trouble."""


@dataclass(frozen=True, slots=True)
class Patient:
    """A database, with a connection of the administrator and the URL of the application."""

    admin: AsyncConnection
    """Opened before the trouble, since connecting may be impossible later."""
    application_url: str

    async def run(self, *statements: str) -> None:
        """Run statements as the administrator."""
        for statement in statements:
            await self.admin.execute(text(statement))

    async def connections(self) -> list[int]:
        """Return the ids of the connections of the application."""
        listed = await self.admin.execute(text("SHOW PROCESSLIST"))
        return [row.Id for row in listed if row.User == ACCOUNT]


async def open_as(stack: AsyncExitStack, url: str) -> AsyncConnection:
    """Open a connection outside of all pools, in autocommit mode."""
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    stack.push_async_callback(engine.dispose)
    return await stack.enter_async_context(engine.connect())


@pytest.fixture(scope="module")
def breakable_server(engine: Engine) -> Iterator[DatabaseServer]:
    """Return a server for this file, whose tables share a tablespace that cannot grow."""
    options = [f"--innodb-data-file-path={DISK}", "--innodb-file-per-table=OFF"]
    with database_server(engine, extra_options=options, own=True) as server:
        yield server


@pytest_asyncio.fixture
async def patient(target: Target) -> AsyncIterator[Patient]:
    """Return the database of the test with an account for the application."""
    database = str(make_url(target.url).database)
    url = make_url(target.url).set(username=ACCOUNT)
    async with AsyncExitStack() as stack:
        admin = await open_as(stack, target.url)
        one = Patient(admin, url.render_as_string(hide_password=False))
        await one.run(
            f"CREATE USER {ACCOUNT}@'127.0.0.1'", f"GRANT ALL ON {database}.* TO {ACCOUNT}@'127.0.0.1'"
        )
        yield one
        await one.run(f"DROP USER {ACCOUNT}@'127.0.0.1'")


@asynccontextmanager
async def read_only(patient: Patient) -> AsyncIterator[None]:
    """Make the server read-only, like a primary that became a replica."""
    await patient.run("SET GLOBAL read_only = ON")
    try:
        yield
    finally:
        await patient.run("SET GLOBAL read_only = OFF")


@asynccontextmanager
async def out_of_connections(patient: Patient) -> AsyncIterator[None]:
    """Take all connections, and cut those of the progress server."""
    before = await patient.admin.scalar(text("SELECT @@GLOBAL.max_connections"))
    cut = await patient.connections()
    async with AsyncExitStack() as others:
        for _ in range(CONNECTIONS_LEFT):
            await open_as(others, patient.application_url)
        await patient.run(f"SET GLOBAL max_connections = {CONNECTIONS_LEFT}")
        await patient.run(*(f"KILL {connection}" for connection in cut))
        try:
            yield
        finally:
            await patient.run(f"SET GLOBAL max_connections = {before}")


@asynccontextmanager
async def full(patient: Patient) -> AsyncIterator[None]:
    """Fill the tablespace with another table."""
    await patient.run("CREATE TABLE ballast (number INT AUTO_INCREMENT PRIMARY KEY, filler VARBINARY(7000))")
    with pytest.raises(DBAPIError) as caught:
        await patient.run(*itertools.repeat(ADD_BALLAST, BALLAST_ROWS_MAX))
    assert caught.value.orig is not None
    assert caught.value.orig.args[0] == TABLE_FULL
    try:
        yield
    finally:
        await patient.run("DROP TABLE ballast")


@asynccontextmanager
async def schema_behind(patient: Patient) -> AsyncIterator[None]:
    """Remove a column: a migration is missing or was undone."""
    await patient.run("ALTER TABLE job_results RENAME COLUMN error_type TO undone")
    try:
        yield
    finally:
        await patient.run("ALTER TABLE job_results RENAME COLUMN undone TO error_type")


@asynccontextmanager
async def schema_ahead(patient: Patient) -> AsyncIterator[None]:
    """Add a column that this version cannot fill: a migration of a later version ran too early."""
    await patient.run("ALTER TABLE job_results ADD COLUMN required INT NOT NULL")
    try:
        yield
    finally:
        await patient.run("ALTER TABLE job_results DROP COLUMN required")


class Trouble(Protocol):
    """A function that returns a context in which the database has trouble."""

    __name__: str

    def __call__(self, patient: Patient) -> AbstractAsyncContextManager[None]:
        """Return the context."""


TROUBLES: tuple[Trouble, ...] = (out_of_connections, full, schema_behind, schema_ahead)


async def report_once(stub: Stub, ledger: Ledger, plan: Plan, job: Job) -> bool:
    """Report a job once; return whether it was acknowledged, or else DATABASE_UNAVAILABLE."""
    request = report_of(job, plan.outcomes[job])
    request.error_message = LONG_MESSAGE
    ledger.attempt(job, plan.outcomes[job])
    try:
        answer = await stub.ReportJobResult(request, timeout=CALL_SECONDS_MAX)
    except grpc.aio.AioRpcError as error:
        refusal = answered(error)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
        return False
    ledger.acknowledge(job, first=answer.disposition == pb.DISPOSITION_RECORDED)
    return True


async def seconds_until_served(stub: Stub, ledger: Ledger, plan: Plan, job: Job) -> float:
    """Report a job until it is acknowledged; return the seconds that this took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        if await report_once(stub, ledger, plan, job):
            return loop.time() - begun
        await asyncio.sleep(TRY_AGAIN_SECONDS)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(read_only, marks=pytest.mark.more("each group looks for another node for 5 s")),
        *TROUBLES,
    ],
    ids=lambda trouble: trouble.__name__,
)
async def test_trouble_is_answered_and_survived(
    patient: Patient, order: random.Random, verdict: Verdict, trouble: Trouble
) -> None:
    """During the trouble the answer is DATABASE_UNAVAILABLE; afterwards, the server records again."""
    plan = make_plan(order, SIZES)
    during = plan.reports[BEFORE : BEFORE + DURING]
    ledger = Ledger()
    async with (
        progress_process(patient.application_url) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        stub = stub_of(channel)
        await create_batches(stub, plan)
        workers = Workers(ledger, [channel], WORKERS)
        await workers.send_all(Plan(plan.sizes, plan.outcomes, plan.reports[:BEFORE]))
        async with trouble(patient):
            served = await asyncio.gather(*(report_once(stub, ledger, plan, job) for job in during))
        seconds = await seconds_until_served(stub, ledger, plan, during[0])
        await workers.send_all(plan)
    print(f"{served.count(False)} refused; served again after {seconds:.2f} s")
    assert not all(served)
    assert seconds <= SERVING_AGAIN_SECONDS_MAX
    assert ledger.acknowledged == plan.outcomes.keys()
    await verdict(trouble.__name__.replace("_", " "), 1, ledger)
