"""Accounts of a database server with few rights."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import NullPool, make_url
from sqlalchemy.ext.asyncio import create_async_engine

NAME = "application"
AT = f"{NAME}@'127.0.0.1'"
PASSWORD = "rig.ht"  # of an account that lives for one test


@asynccontextmanager
async def account(root_url: str, *statements: str, password: str = PASSWORD) -> AsyncIterator[str]:
    """Create an account and run statements about it ({at}: its name, {database}); return its URL."""
    url = make_url(root_url)
    await run(root_url, f"CREATE USER {AT} IDENTIFIED BY '{PASSWORD}'")
    try:
        await run(root_url, *(one.format(at=AT, database=url.database) for one in statements))
        own = url.set(username=NAME, password=password)
        yield own.render_as_string(hide_password=False)
    finally:
        await run(root_url, f"DROP USER {AT}")


async def run(url: str, *statements: str) -> None:
    """Run statements, each in its own transaction, outside of our rules for connections."""
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)
    await engine.dispose()
