"""A database that answers but cannot be used is one sentence: what happened, to what, and what to do."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import make_url

from batches.errors import DatabaseUnavailable, DatabaseUnusable, SchemaMismatch
from batches.migrations import migrate
from batches.store import causes
from batches.store.causes import Cause
from batches.store.database import Database
from batches.store.rights import require_writes
from database_servers import DatabaseServer
from tests.integration.store.accounts import NAME, PASSWORD, account, run
from tests.integration.store.steps import on_mariadb, on_mysql, on_servers, select_one

Step = Callable[[Database], Awaitable[Any]]
ALL = "GRANT ALL ON {database}.* TO {at}"


async def refusal(url: str, step: Step = migrate.require_usable) -> str:
    """Return the sentence with which a step refuses a database."""
    database = Database(url, connections_max=1)
    try:
        with pytest.raises(DatabaseUnusable) as refused:
            await step(database)
    finally:
        await database.close()
    sentence = str(refused.value)
    assert PASSWORD not in sentence
    assert "\n" not in sentence
    return sentence


def begin_of(url: str, cause: Cause) -> str:
    """Return how the sentence about a server begins."""
    parsed = make_url(url)
    place = f"database {parsed.database} on 127.0.0.1:{parsed.port} as user {parsed.username}"
    return f"cannot use {place}: {cause.happened}; {cause.remedy} ("


async def start(database: Database) -> None:
    """Do what a server does when it starts."""
    await migrate.require_usable(database)
    await database.read(require_writes)


@on_servers
@pytest.mark.parametrize("step", [start, migrate.upgrade])
async def test_a_wrong_password_is_told(database_url: str, step: Step) -> None:
    async with account(database_url, ALL, password="wr.ong") as url:
        sentence = await refusal(url, step)
        assert sentence.startswith(begin_of(url, causes.LOGIN) + "1045: ")
        assert "wr.ong" not in sentence


@on_servers
async def test_a_missing_database_is_told(database_url: str) -> None:
    url = make_url(database_url).set(database="none").render_as_string(hide_password=False)
    assert (await refusal(url)).startswith(begin_of(url, causes.NO_DATABASE) + "1049: ")


@on_servers
async def test_an_account_without_rights_is_told(database_url: str) -> None:
    async with account(database_url) as url:
        assert (await refusal(url)).startswith(begin_of(url, causes.NO_RIGHTS) + "1044: ")


@on_servers
@pytest.mark.parametrize("step", [start, migrate.upgrade])
@pytest.mark.parametrize("missing", ["INSERT", "UPDATE", "DELETE"])
async def test_an_account_that_may_not_write_is_told(
    database: Database, database_url: str, missing: str, step: Step
) -> None:
    """The server would start, and refuse every report."""
    await database.ping()
    granted = ", ".join({"SELECT", "INSERT", "UPDATE", "DELETE"} - {missing})
    async with account(database_url, f"GRANT {granted} ON {{database}}.* TO {{at}}") as url:
        sentence = await refusal(url, step)
        assert sentence.startswith(begin_of(url, causes.RIGHT_MISSING) + "1142: ")
        assert f"{missing} command denied" in sentence


@on_servers
async def test_a_read_only_account_may_check(database_url: str) -> None:
    """A check only reads."""
    async with account(database_url, "GRANT SELECT ON {database}.* TO {at}") as url:
        database = Database(url, connections_max=1)
        await migrate.require_usable(database)
        await database.close()


@on_servers
async def test_an_upgrade_without_the_right_to_create_is_told(new_database_url: str) -> None:
    granted = "GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.* TO {at}"
    async with account(new_database_url, granted) as url:
        sentence = await refusal(url, migrate.upgrade)
    assert sentence.startswith(begin_of(url, causes.RIGHT_MISSING) + "1142: CREATE command denied")


@on_servers
async def test_a_read_only_node_says_nothing_about_rights(
    own_server: DatabaseServer, database: Database, database_url: str
) -> None:
    """The server starts on it, and is not ready until another node takes over."""
    assert own_server.port == database.engine.sync_engine.url.port
    async with account(database_url, ALL) as url:
        used = Database(url, connections_max=1)
        await run(database_url, "SET GLOBAL read_only = ON")
        try:
            await start(used)
        finally:
            await run(database_url, "SET GLOBAL read_only = OFF")
            await used.close()


@on_servers
async def test_a_locked_account_is_told(database_url: str) -> None:
    async with account(database_url, ALL, "ALTER USER {at} ACCOUNT LOCK") as url:
        assert (await refusal(url)).startswith(begin_of(url, causes.LOCKED))


@on_servers
async def test_an_expired_password_is_told(database_url: str) -> None:
    async with account(database_url, ALL, "ALTER USER {at} PASSWORD EXPIRE") as url:
        assert (await refusal(url)).startswith(begin_of(url, causes.EXPIRED))


@on_servers
async def test_an_account_of_another_host_is_told(database_url: str) -> None:
    """MySQL and MariaDB do not tell it from a wrong password."""
    url = make_url(database_url).set(username="elsewhere").render_as_string(hide_password=False)
    await run(database_url, "CREATE USER elsewhere@'192.0.2.1'")
    try:
        assert (await refusal(url)).startswith(begin_of(url, causes.LOGIN))
    finally:
        await run(database_url, "DROP USER elsewhere@'192.0.2.1'")


@on_servers
async def test_ssl_mode_required_satisfies_an_account_that_requires_tls(database_url: str) -> None:
    """Without it, the sentence names it."""
    async with account(database_url, ALL, "ALTER USER {at} REQUIRE SSL") as url:
        assert "ssl_mode=REQUIRED" in await refusal(url)
        for parameter in ("ssl_mode=REQUIRED", "ssl-mode=REQUIRED", "ssl_mode=required"):
            database = Database(f"{url}?{parameter}", connections_max=1)
            await start(database)
            async with database.migration() as connection:  # over a connection of its own
                await select_one(connection)
            await database.close()


@on_mariadb
async def test_a_server_that_accepts_only_tls_is_told(
    own_server: DatabaseServer, database: Database, database_url: str
) -> None:
    """MySQL refuses the account instead, as if its password were wrong."""
    assert own_server.port == database.engine.sync_engine.url.port
    async with account(database_url, ALL) as url:
        await run(database_url, "SET GLOBAL require_secure_transport = ON")
        try:
            assert (await refusal(url)).startswith(begin_of(url, causes.TLS_DEMANDED) + "3159: ")
        finally:
            await run(f"{database_url}?ssl_check_hostname=false", "SET GLOBAL require_secure_transport = OFF")


@on_mysql
@pytest.mark.parametrize("step", [start, migrate.upgrade])
async def test_a_binary_log_of_statements_is_told(
    own_server: DatabaseServer, database: Database, database_url: str, step: Step
) -> None:
    """The server would start, and refuse every report."""
    assert own_server.port == database.engine.sync_engine.url.port
    await run(database_url, "SET GLOBAL binlog_format = STATEMENT")
    try:
        sentence = await refusal(database_url, step)
    finally:
        await run(database_url, "SET GLOBAL binlog_format = ROW")
    assert sentence.startswith(begin_of(database_url, causes.STATEMENT_FORMAT) + "1665: ")


@pytest.mark.parametrize("step", [migrate.require_usable, migrate.upgrade])
@pytest.mark.parametrize(
    ("statements", "word"),
    [
        (["CREATE TABLE batches (id INTEGER PRIMARY KEY, title VARCHAR(9))"], "table batches belongs"),
        (
            [
                "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
                "INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6')",
            ],
            "table alembic_version belongs to another application (version a1b2c3d4e5f6)",
        ),
        (
            [
                "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
                "INSERT INTO alembic_version VALUES ('0004')",
            ],
            "table alembic_version belongs to another application (version 0004)",
        ),
        (
            [
                "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
                "INSERT INTO alembic_version VALUES ('0004')",
                "CREATE TABLE batches (id INTEGER PRIMARY KEY, title VARCHAR(9))",
            ],
            "table batches belongs",
        ),
    ],
    ids=["table", "alembic", "number", "both"],
)
async def test_tables_of_another_application_are_told_and_left(
    new_database_url: str, statements: list[str], word: str, step: Step
) -> None:
    await run(new_database_url, *statements)
    database = Database(new_database_url, connections_max=1)
    with pytest.raises(SchemaMismatch) as refused:
        await step(database)
    assert str(refused.value).startswith(f"cannot use {database.place}: its {word}")
    assert str(refused.value).endswith("and name it in BATCHES_DATABASE_URL")
    await database.close()
    with pytest.raises(Exception, match="leases"):
        await run(new_database_url, "SELECT * FROM leases")


@on_servers
async def test_only_a_database_that_does_not_answer_is_said_not_to(database_url: str) -> None:
    """It may answer again, so a server waits for it."""
    away = make_url(database_url).set(port=1, username=NAME)
    database = Database(away.render_as_string(hide_password=False), connections_max=1)
    with pytest.raises(DatabaseUnavailable) as refused:
        await migrate.require_usable(database)
    assert not isinstance(refused.value, DatabaseUnusable)
    assert str(refused.value).startswith(f"{database.place} does not answer; check whether it runs")
    await database.close()


@on_servers
async def test_the_rights_that_the_sentence_names_suffice(new_database_url: str) -> None:
    """For an upgrade and for a server."""
    granted = "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON {database}.* TO {at}"
    async with account(new_database_url, granted) as url:
        database = Database(url, connections_max=2)
        await migrate.upgrade(database)
        await start(database)
        await database.close()
