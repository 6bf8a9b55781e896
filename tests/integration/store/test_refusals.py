"""What happens to a transaction for each error by which a cluster refuses it, raised by the server itself."""

import asyncio

import pytest
from sqlalchemy import make_url, text

from batches.errors import DatabaseUnavailable, TransactionTooLarge
from batches.store import database as database_module
from batches.store.connections import AsyncConnection
from batches.store.database import Database
from batches.store.refusals import LOCK_WAIT_TIMEOUT, REFUSALS, Refusal
from database_servers.ports import free_port
from tests.integration.store.losing_proxy import LosingProxy
from tests.integration.store.steps import connections_in_use, on_servers, open_connections, select_one
from tests.support.eventually import eventually

CLIENT_ERRORS = range(2_000, 3_000)
"""The driver's own: no server sends them."""
SOME_OTHER_ERROR = 1_644


def _codes(wanted: Refusal) -> list[int]:
    return [code for code, refusal in REFUSALS.items() if refusal is wanted and code not in CLIENT_ERRORS]


class _Refused:
    """A transaction that the server refuses a number of times, and the connections of its tries."""

    def __init__(self, code: int, *, times: int = 1) -> None:
        self.code = code
        self.times = times
        self.connections: list[int] = []

    async def __call__(self, connection: AsyncConnection) -> None:
        """Try once."""
        self.connections.append(int(await connection.scalar(text("SELECT CONNECTION_ID()")) or 0))
        if len(self.connections) <= self.times:
            await connection.exec_driver_sql(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {self.code}")


@on_servers
@pytest.mark.parametrize("code", _codes(Refusal.CONFLICT))
async def test_a_conflict_is_tried_again(database: Database, code: int) -> None:
    """The connection is kept."""
    work = _Refused(code)
    await database.write(work)
    assert len(work.connections) == 2
    assert len(set(work.connections)) == 1
    assert database.retries == {Refusal.CONFLICT: 1}


@on_servers
@pytest.mark.parametrize("code", _codes(Refusal.ELSEWHERE))
async def test_all_connections_to_a_node_that_cannot_write_are_replaced(
    database: Database, code: int
) -> None:
    """The pool would give them out for half an hour, while another node is the primary."""
    await open_connections(database, 3)
    work = _Refused(code, times=2)
    await database.write(work)
    assert len(set(work.connections)) == 3
    assert database.retries == {Refusal.ELSEWHERE: 2}
    assert connections_in_use(database) == 0
    stale = work.connections[0]
    seen = _Refused(code, times=0)
    for _ in range(4):
        await database.read(seen)
    assert stale not in seen.connections


@on_servers
async def test_a_node_that_cannot_write_is_given_up_before_callers_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may reach another server; a conflict is tried for longer."""
    monkeypatch.setattr(database_module, "NODE_SECONDS_MAX", 0.0)
    with pytest.raises(DatabaseUnavailable):
        await database.write(_Refused(1290, times=9))
    await database.write(_Refused(1213, times=3))


@on_servers
async def test_transactions_look_for_a_node_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those behind the first try a new connection once, and look again after one that succeeded."""
    monkeypatch.setattr(database_module, "NODE_SECONDS_MAX", 0.2)
    first, second, third = (_Refused(1290, times=times) for times in (10**6, 10**6, 4))
    for work in (first, second):
        with pytest.raises(DatabaseUnavailable):
            await database.write(work)
    assert len(second.connections) == database_module.NODE_TRIES_MIN < len(first.connections)
    await database.write(select_one)
    monkeypatch.setattr(database_module, "NODE_SECONDS_MAX", 60.0)
    await database.write(third)


@on_servers
@pytest.mark.parametrize("code", _codes(Refusal.TOO_LARGE))
async def test_a_transaction_that_is_too_large_is_not_tried_again(database: Database, code: int) -> None:
    """Its caller makes it smaller."""
    work = _Refused(code)
    with pytest.raises(TransactionTooLarge):
        await database.write(work)
    assert len(work.connections) == 1
    assert database.retries == {Refusal.TOO_LARGE: 1}
    await database.write(select_one)


@on_servers
async def test_a_transaction_that_may_be_divided_is_given_up_after_some_conflicts(database: Database) -> None:
    """In a cluster a large one may lose against small ones for ever."""
    work = _Refused(1213, times=9)
    with pytest.raises(TransactionTooLarge):
        await database.write(work, conflicts_max=2)
    assert len(work.connections) == database.conflicts == 2


@on_servers
async def test_a_transaction_that_waits_for_a_lock_is_not_divided(database: Database) -> None:
    """A smaller one would wait as long for whoever holds the lock."""
    work = _Refused(LOCK_WAIT_TIMEOUT, times=3)
    await database.write(work, conflicts_max=2)
    assert database.retries == {Refusal.CONFLICT: 3}
    assert database.conflicts == 0


@on_servers
async def test_another_error_is_final(database: Database) -> None:
    """The same transaction would fail again."""
    work = _Refused(SOME_OTHER_ERROR)
    with pytest.raises(DatabaseUnavailable):
        await database.write(work)
    assert len(work.connections) == 1
    assert database.failures == {None: 1}


@on_servers
async def test_a_write_waits_for_a_node_that_takes_over(database_url: str) -> None:
    """A read does not: its caller asks another server."""
    url, port = make_url(database_url), free_port()
    away = Database(url.set(port=port).render_as_string(hide_password=False), connections_max=1)
    with pytest.raises(DatabaseUnavailable):
        await away.read(select_one)
    assert not away.retries
    writing = asyncio.create_task(away.write(select_one))
    await eventually(lambda: away.retries[Refusal.ELSEWHERE] > 0)
    async with LosingProxy(str(url.host), url.port or 0).listening(port):
        await writing
        await away.close()
