"""The tables of django-celery-results, as its migrations create them in each database.

Django needs drivers of its own to run the migrations in MySQL, MariaDB or PostgreSQL. They gave these types.
"""

from pathlib import Path

from sqlalchemy import Column, DateTime, Integer, MetaData, String, Table, Text, insert, select
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.ext.asyncio import create_async_engine

METADATA = MetaData()
_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def _text(name: str) -> Column[str]:
    return Column(name, _TEXT)


TASK_RESULTS = Table(
    "django_celery_results_taskresult",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("task_id", String(255), nullable=False, unique=True),
    Column("status", String(50), nullable=False, index=True),
    Column("content_type", String(128), nullable=False),
    Column("content_encoding", String(64), nullable=False),
    *map(_text, ("result", "traceback", "meta", "task_args", "task_kwargs")),
    Column("date_done", DateTime(timezone=True), nullable=False),
    Column("task_name", String(255)),
    Column("worker", String(100)),
    Column("date_created", DateTime(timezone=True), nullable=False),
    Column("periodic_task_name", String(255)),
    Column("date_started", DateTime(timezone=True)),
)
GROUP_RESULTS = Table(
    "django_celery_results_groupresult",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("group_id", String(255), nullable=False, unique=True),
    Column("date_created", DateTime(timezone=True), nullable=False),
    Column("date_done", DateTime(timezone=True), nullable=False),
    Column("content_type", String(128), nullable=False),
    Column("content_encoding", String(64), nullable=False),
    _text("result"),
)


async def copy_tables(file: Path, url: str) -> None:
    """Create the tables in an empty database, and copy the rows of a SQLite file.

    Dates become the same moment in UTC, which is how Django stores them.
    """
    source, target = create_async_engine(f"sqlite+aiosqlite:///{file}"), create_async_engine(url)
    async with source.connect() as reading, target.begin() as writing:
        await writing.run_sync(METADATA.create_all)
        for table in METADATA.sorted_tables:
            rows = (await reading.execute(select(table))).mappings().all()
            await writing.execute(insert(table), [dict(row) for row in rows])
    await source.dispose()
    await target.dispose()
