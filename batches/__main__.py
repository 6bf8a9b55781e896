"""python -m batches: migrations, and the check of counters against rows."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from batches.errors import DatabaseUnavailable, SchemaMismatch, UpgradeUnderWay
from batches.migrations import migrate
from batches.settings import DatabaseSettings
from batches.store.batch_store import BatchStore
from batches.store.check import Difference
from batches.store.database import Database
from process import logs
from process.configuration import EXIT_BAD_CONFIGURATION, load

EXIT_DIFFERENCES = 1
EXIT_UNAVAILABLE = 1
CONNECTIONS_MAX = 2
"""One for the work; one to spare, since these commands do one thing after the other."""

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The database of Batch Progress.")


@app.command()
def upgrade() -> None:
    """Bring the database (BATCHES_DATABASE_URL) to this version's schema."""
    before, after = _run(_with_database(migrate.upgrade))
    typer.echo(f"schema {after}: {_what_was_done(before, after)}")


def _what_was_done(before: str | None, after: str) -> str:
    if before != after:
        return f"upgraded from {before or 'nothing'}"
    if after != migrate.head_version():
        return f"left as it is, newer than this version's {migrate.head_version()}, which runs on it"
    return "is up to date"


@app.command()
def check() -> None:
    """Compare every batch's counters with its rows; exit 1 and name what differs."""
    batches, results, differences = _run(_with_database(_check))
    if differences:
        _print_differences(differences)
    typer.echo(f"batches: {batches:,}, results: {results:,}, differences: {len(differences):,}")
    raise typer.Exit(EXIT_DIFFERENCES if differences else 0)


async def _check(database: Database) -> tuple[int, int, list[Difference]]:
    await migrate.require_usable(database)
    batches = results = 0
    differences: list[Difference] = []
    with Console(stderr=True).status("checking") as status:
        async for page in BatchStore(database).check():
            batches += page.batches
            results += page.results
            differences += page.differences
            status.update(f"checking: {batches:,} batches, {results:,} results")
    return batches, results, differences


def _print_differences(differences: list[Difference]) -> None:
    table = Table("batch", "number", "kept", "by its rows")
    for one in differences:
        table.add_row(one.batch_id, one.name, f"{one.kept:,}", f"{one.expected:,}")
    Console().print(table)


async def _with_database(work: Any) -> Any:
    url = load(DatabaseSettings).database_url.get_secret_value()
    database = Database(url, connections_max=CONNECTIONS_MAX)
    try:
        return await work(database)
    finally:
        await database.close()


def _run(command: Coroutine[Any, Any, Any]) -> Any:
    """Run a command, with its errors as one sentence each."""
    logs.configure()
    try:
        return asyncio.run(command)
    except SchemaMismatch as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_BAD_CONFIGURATION)
    except UpgradeUnderWay as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_UNAVAILABLE)
    except DatabaseUnavailable as error:
        typer.echo(f"the database does not answer ({type(error.__cause__).__name__})", err=True)
        sys.exit(EXIT_UNAVAILABLE)


if __name__ == "__main__":
    app()
