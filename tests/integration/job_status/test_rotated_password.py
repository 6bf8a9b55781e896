"""The password of the queue's account is changed while the service runs."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from database_servers.postgresql import URL_VARIABLE
from database_servers.redis import IN_MEMORY, redis_server
from services.job_status.settings import JobStatusSettings
from services.job_status.source import JobStatusSource, QueueUnavailable
from services.job_status.sources.database import QueueDatabase
from services.job_status.wiring import open_source
from tests.integration.job_status.conftest import READER
from tests.integration.job_status.queues import JobTableQueue, LaravelQueue
from tests.support.eventually import eventually

SCRAM = f"host all {READER} 127.0.0.1/32 scram-sha-256"
"""The line in pg_hba.conf that makes our role need its password; the other lines trust this machine."""


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[JobStatusSource]:
    """Open a source as the process does."""
    source = open_source(JobStatusSettings.model_validate(settings))
    yield source
    await source.close()


async def assert_unavailable(source: JobStatusSource) -> None:
    """Ask the queue in vain."""
    with pytest.raises(QueueUnavailable):
        await source.check()


class TestRedis:
    """A user of its ACL, and the password of its default user."""

    @pytest.fixture
    def rotate(self, redis_url: str, reader_url: str, tmp_path: Path) -> Iterator[Callable[[str], None]]:
        """Return a function that changes the reader's password and closes its connections."""
        self.file = tmp_path / "url"
        self.file.write_text(reader_url, encoding="utf-8")
        with Redis.from_url(redis_url) as redis:

            def change(password: str) -> None:
                redis.acl_setuser(
                    READER,
                    enabled=True,
                    reset_passwords=True,
                    passwords=[f"+{password}"],
                    keep_categories=True,
                )
                redis.execute_command("CLIENT", "KILL", "USER", READER)

            yield change

    @pytest.mark.parametrize("name", ["rq", "celery"])
    async def test_new_password_in_the_file_is_used_once_the_old_one_is_refused(
        self, name: str, rotate: Callable[[str], None], reader_url: str
    ) -> None:
        """Whichever of the two is changed first."""
        async with opened(source=name, redis_url_file=self.file) as source:
            await source.check()
            rotate("second")
            await assert_unavailable(source)
            self.file.write_text(reader_url.replace("s3cret", "second"), encoding="utf-8")
            await source.check()
            self.file.write_text(reader_url.replace("s3cret", "third"), encoding="utf-8")
            await source.check()
            rotate("third")
            await source.check()

    @pytest.mark.usefixtures("rotate")
    async def test_connections_of_a_user_without_permissions_are_replaced(
        self, redis_url: str, reader_url: str
    ) -> None:
        """Redis ends none of them."""
        async with opened(source="rq", redis_url_file=self.file) as source:
            await source.check()
            with Redis.from_url(redis_url) as redis:
                redis.acl_setuser("second", enabled=True, passwords=["+p"], keys=["*"], categories=["+@read"])
                self.file.write_text(reader_url.replace(f"{READER}:s3cret", "second:p"), encoding="utf-8")
                redis.execute_command("ACL", "SETUSER", READER, "-@all")
                await source.check()
                redis.acl_deluser("second")

    async def test_default_user_that_gets_its_first_password_is_logged_in(self, tmp_path: Path) -> None:
        """CONFIG SET requirepass."""
        file = tmp_path / "url"
        with redis_server(IN_MEMORY) as server, Redis.from_url(server.url) as redis:
            file.write_text(server.url, encoding="utf-8")
            async with opened(source="rq", redis_url_file=file) as source:
                await source.check()
                redis.config_set("requirepass", "first")
                redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                await assert_unavailable(source)
                file.write_text(server.url.replace("//", "//:first@"), encoding="utf-8")
                await source.check()
            redis.config_set("requirepass", "")

    async def test_file_that_names_another_server_is_not_used(
        self, rotate: Callable[[str], None], redis_url: str
    ) -> None:
        """Its batches would be those of another queue."""
        async with opened(source="rq", redis_url_file=self.file) as source:
            await source.check()
            rotate("second")
            self.file.write_text(redis_url.replace("/0", "/1"), encoding="utf-8")
            await assert_unavailable(source)


@pytest.mark.more("configures PostgreSQL again for each test")
@pytest.mark.xdist_group("postgresql")
class TestPostgresql:
    """A role with a password."""

    @pytest.fixture(autouse=True)
    async def _role(self, postgresql_url: str, tmp_path: Path) -> AsyncIterator[None]:
        """Create the role and its tables."""
        if URL_VARIABLE in os.environ:
            pytest.skip("This server is not ours to change.")
        self.url, self.file = make_url(postgresql_url), tmp_path / "url"
        await LaravelQueue(postgresql_url).create()
        await JobTableQueue(postgresql_url).create()
        await self.run(
            "CREATE TABLE celery_taskmeta (task_id TEXT)",
            "CREATE TABLE celery_tasksetmeta (taskset_id TEXT)",
            "GRANT USAGE ON SCHEMA public TO PUBLIC",  # as in every new database
            f"CREATE ROLE {READER} LOGIN PASSWORD 's3cret' IN ROLE pg_read_all_data",
        )
        (trusting,) = await self.run("SELECT pg_read_file(current_setting('hba_file'))")
        await self.configure(SCRAM + "\n" + trusting)
        await eventually(self.is_password_checked)
        yield
        await self.configure(trusting)
        await self.run(f"DROP ROLE IF EXISTS {READER}")

    async def configure(self, lines: str) -> None:
        """Replace pg_hba.conf."""
        (path,) = await self.run("SELECT current_setting('hba_file')")
        values = ", ".join(f"($${line}$$)" for line in lines.splitlines())
        await self.run(f"COPY (VALUES {values}) TO '{path}'", "SELECT pg_reload_conf()")

    async def is_password_checked(self) -> bool:
        """Return whether a wrong password is refused."""
        database = QueueDatabase(self.url_with("wrong"))
        try:
            await database.rows(text("SELECT 1"))  # type: ignore[arg-type]
        except QueueUnavailable:
            return True
        finally:
            await database.close()
        return False

    async def run(self, *statements: str) -> list[Any]:
        """Run statements as the superuser; return the first column of the last one."""
        engine = create_async_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        column: list[Any] = []
        async with engine.connect() as connection:
            for statement in statements:
                result = await connection.exec_driver_sql(statement)
                column = list(result.scalars()) if result.returns_rows else []
        await engine.dispose()
        return column

    def url_with(self, password: str, user: str = READER) -> str:
        """Return the URL of a role."""
        return self.url.set(username=user, password=password).render_as_string(hide_password=False)

    def write_file(self, password: str, user: str = READER) -> None:
        """Write the URL of a role."""
        self.file.write_text(self.url_with(password, user), encoding="utf-8")

    async def rotate(self, password: str) -> None:
        """Change the role's password and close its connections."""
        await self.run(
            f"ALTER ROLE {READER} PASSWORD '{password}'",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{READER}'",  # noqa: S608
        )

    @pytest.mark.parametrize("name", ["laravel", "job_table", "celery"])
    async def test_new_password_in_the_file_is_used_once_the_old_one_is_refused(self, name: str) -> None:
        """Whichever of the two is changed first."""
        self.write_file("s3cret")
        async with opened(source=name, database_url_file=self.file) as source:
            await source.check()
            await self.rotate("second")
            await assert_unavailable(source)
            self.write_file("second")
            await source.check()
            self.write_file("third")
            await source.check()
            await self.rotate("third")
            await source.check()

    async def test_connections_of_a_dropped_role_are_replaced(self) -> None:
        """PostgreSQL ends none of them."""
        self.write_file("s3cret")
        async with opened(source="job_table", database_url_file=self.file) as source:
            await source.check()
            await self.run(
                "CREATE ROLE second LOGIN PASSWORD 'p' IN ROLE pg_read_all_data",
                f"REVOKE pg_read_all_data FROM {READER}",
                f"DROP ROLE {READER}",
            )
            self.write_file("p", "second")
            await source.check()
        await self.run("DROP ROLE second")
