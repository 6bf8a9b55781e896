"""python -m batches: upgrades the schema, and compares counters with rows."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, NoReturn, TypeVar

import structlog
import typer
from rich.console import Console
from rich.table import Table

from batches.errors import (
    BatchNotFound,
    DatabaseUnavailable,
    DatabaseUnusable,
    SchemaMismatch,
    TablesInUse,
    UpgradeUnderWay,
)
from batches.migrations import migrate
from batches.settings import DatabaseSettings
from batches.store.batch_store import BatchStore
from batches.store.check import Difference
from batches.store.database import Database
from process import logs
from process.configuration import EXIT_BAD_CONFIGURATION, load
from process.version import ShowVersion

EXIT_DIFFERENCES = 1
EXIT_UNAVAILABLE = 1
LOG_PERIOD_SECONDS = 10.0
"""How often a check that nobody watches on a terminal logs its progress."""
CONNECTIONS_MAX = 2
"""One for the work and one to spare: these commands run one transaction after the other."""

Result = TypeVar("Result")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Manage the database of Batch Progress. Its URL is read from BATCHES_DATABASE_URL, or from the file"
    " that BATCHES_DATABASE_URL_FILE names.",
)


@app.callback()
def _show_version(*, _version: ShowVersion = False) -> None:
    pass


@app.command()
def upgrade() -> None:
    """Upgrade the schema of the database to this version."""
    before, after = _run("upgrading", migrate.upgrade)
    typer.echo(f"schema {after}: {_what_was_done(before, after)}")


def _what_was_done(before: str | None, after: str) -> str:
    if before is None:
        return "created"
    if before != after:
        return f"upgraded from {before}"
    if after != migrate.head_version():
        return (
            f"not changed; it is newer than schema {migrate.head_version()}, but this version can run on it"
        )
    return "already up to date"


@app.command()
def check(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Correct failure groups and error details from the rows.")
    ] = False,
) -> None:
    """Compare the counters of every batch with its rows.

    Lists the differences, and exits with 1 if any are left.

    --repair counts failure groups again and deletes the details of replaced errors, and changes nothing else:
    servers of version 0.1 do not keep them.
    """
    checked = _run("checking", partial(_check, repair=repair))
    if checked.differences:
        _print_differences(checked.differences)
    totals = f"batches: {checked.batches:,}, results: {checked.results:,}"
    typer.echo(f"{totals}, differences: {len(checked.differences):,}")
    if checked.repaired:
        typer.echo(f"batches whose failure groups were counted again: {checked.repaired:,}")
    raise typer.Exit(EXIT_DIFFERENCES if checked.differences else 0)


@dataclass
class _Checked:
    batches: int = 0
    results: int = 0
    repaired: int = 0
    """Batches whose failure groups were counted again."""
    differences: list[Difference] = field(default_factory=list)
    """Those that are left."""


async def _check(database: Database, *, repair: bool) -> _Checked:
    await migrate.require_usable(database)
    checked, store = _Checked(), BatchStore(database)
    with Console(stderr=True).status("checking") as status:
        progress = _Progress(checked, status.update)
        async for page in store.check(progress.add):
            checked.batches += page.batches
            checked.results += page.results
            checked.differences += page.differences
            for batch_id, found in page.miscounted.items():
                if repair and await _is_recounted(store, batch_id):
                    checked.repaired += 1
                else:
                    checked.differences += found
            progress.show()
    return checked


class _Progress:
    """Shows how far the check has come: on a terminal all the time, in the log now and then."""

    def __init__(self, checked: _Checked, update: Callable[[str], None]) -> None:
        self._checked = checked
        self._update = update
        self._of_page = 0
        self._logged_at = time.monotonic()

    def add(self, results: int) -> None:
        """Add results that were counted, of batches that are not compared yet."""
        self._of_page += results
        self._tell(self._checked.results + self._of_page)

    def show(self) -> None:
        """Show what is compared."""
        self._of_page = 0
        self._tell(self._checked.results)

    def _tell(self, results: int) -> None:
        self._update(f"checking: {self._checked.batches:,} batches, {results:,} results")
        if not sys.stderr.isatty() and time.monotonic() - self._logged_at >= LOG_PERIOD_SECONDS:
            structlog.get_logger().info("checking", batches=self._checked.batches, results=results)
            self._logged_at = time.monotonic()


async def _is_recounted(store: BatchStore, batch_id: str) -> bool:
    """Count the failure groups of a batch again; return False if they are still wrong."""
    try:
        return await store.recount_failure_groups(batch_id)
    except BatchNotFound:  # deleted meanwhile
        return True


def _print_differences(differences: list[Difference]) -> None:
    table = Table("batch", "number", "stored", "expected from its rows")
    for one in differences:
        table.add_row(one.batch_id, one.name, f"{one.kept:,}", f"{one.expected:,}")
    Console().print(table)


def _run(event: str, command: Callable[[Database], Awaitable[Result]]) -> Result:
    """Run a command with the database; print an error as one sentence."""
    logs.configure()
    settings = load(DatabaseSettings)
    structlog.get_logger().info(event, database=settings.place)
    try:
        return asyncio.run(_with_database(settings, command))
    except (SchemaMismatch, DatabaseUnusable) as error:
        _exit(str(error), EXIT_BAD_CONFIGURATION)
    except (DatabaseUnavailable, TablesInUse, UpgradeUnderWay) as error:
        _exit(str(error), EXIT_UNAVAILABLE)


async def _with_database(
    settings: DatabaseSettings, command: Callable[[Database], Awaitable[Result]]
) -> Result:
    database = Database.of(settings, connections_max=CONNECTIONS_MAX)
    try:
        return await command(database)
    finally:
        await database.close()


def _exit(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    sys.exit(code)


if __name__ == "__main__":
    app()
