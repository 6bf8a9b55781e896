"""python -m bench: measure our server and its alternatives in one run."""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from bench.load.processes import CHECKOUT
from bench.load.workload import CHECK, FULL, QUICK, Pace
from bench.measure import machine
from bench.measure.contestants import Inexact
from bench.measure.run import Run
from bench.measure.stores import mysql
from bench.report.check import check as check_ratios
from bench.report.history import PastRun, compared_in, read_history, write_history
from bench.report.markdown import PLOTS, markdown
from bench.report.plots import draw
from bench.report.results import Row
from bench.rows import ROWS, STABLE
from database_servers import DatabaseServerUnavailable
from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.redis import RedisServer, redis_server

EXIT_INEXACT = 1
EXIT_NO_STORE = 2
EXIT_WORSE = 3
REPORT = "RESULTS.md"
FOLDER = CHECKOUT / "bench"
CHECK_SECONDS_MAX = 200
"""No row of a check begins later, so that a check ends within five minutes on a busy machine, too."""

CHECK_LOAD_MAX = 1.0
"""Processes that want a core, for each core. On a busy machine even quotients of CPU times say little: calls
come so slowly that few results share a transaction. With 14 for each core, 1.9 and 1.2 became 2.9 and 3.5."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run has measured."""

    rows: list[Row]
    machine: Mapping[str, str]

    @property
    def as_past(self) -> PastRun:
        """The run as the history keeps it."""
        return PastRun(self.machine["date"][:10], self.machine["commit"], compared_in(self.rows))


@app.command(
    help="Measure rows (by default all) and print a report with their ratios. Rows: " + ", ".join(ROWS) + "."
    " A run of all rows at full length is written to bench/RESULTS.md and kept in bench/history.json, any"
    " other run only to --out."
)
def main(
    rows: Annotated[list[str] | None, typer.Argument(help="Measure these rows only.", metavar="ROW")] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"Write {REPORT} and its plots into this folder.", file_okay=False)
    ] = None,
    quick: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--quick", help="Measure one short round each, to see that it works.")
    ] = False,
    check: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--check",
            help="Measure the rows whose ratios are stable, within five minutes, and exit with 3 if one is"
            " worse by more than a third than in the newest whole run.",
        ),
    ] = False,
) -> None:
    """Measure rows, print the report, and write it to a file."""
    names = _known(rows or list(STABLE if check else ROWS))
    if check and (load := os.getloadavg()[0] / (os.cpu_count() or 1)) > CHECK_LOAD_MAX:
        typer.echo(f"NOT RUN: the ratios, since the machine is busy with other work (load {load:.1f} a core)")
        return
    pace = QUICK if quick else CHECK if check else FULL
    measured = _run(names, pace, CHECK_SECONDS_MAX if check else None)
    if check:
        _check(measured)
        return
    is_whole = not rows and not quick
    folder = out or (FOLDER if is_whole else None)
    runs = [measured.as_past, *read_history(FOLDER)] if is_whole else []
    report = markdown(measured.rows, measured.machine, pace, runs)
    typer.echo(report)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(report, encoding="utf-8")
        draw([plot for row in measured.rows for plot in row.plots], folder / PLOTS)
        if is_whole:
            write_history(folder, runs)


def _known(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise typer.BadParameter(f"no row is called {', '.join(unknown)}; the rows are {', '.join(ROWS)}")
    return names


def _run(names: Iterable[str], pace: Pace, seconds_max: float | None) -> Measured:
    try:
        with redis_server() as redis:
            return asyncio.run(_measure(names, redis, pace, seconds_max))
    except Inexact as error:
        typer.echo(f"a count is wrong, so there is no report: {error}", err=True)
        raise typer.Exit(EXIT_INEXACT) from None
    except (DatabaseServerUnavailable, PackageUnavailable, CommandFailed) as error:
        typer.echo(f"cannot start a store: {error}", err=True)
        raise typer.Exit(EXIT_NO_STORE) from None


async def _measure(
    names: Iterable[str], redis: RedisServer, pace: Pace, seconds_max: float | None
) -> Measured:
    began = time.monotonic()
    rows: list[Row] = []
    async with mysql() as mysql_server:
        facts = await machine.describe(mysql_server, redis)
        run = Run(mysql_server, redis, pace, lambda line: typer.echo(line, err=True))
        for name in names:
            if seconds_max is not None and time.monotonic() - began > seconds_max:
                typer.echo(f"NOT MEASURED: {name}, since {seconds_max} s are over", err=True)
                continue
            typer.echo(f"— {name}", err=True)
            rows += [replace(row, title=f"{name}: {row.title}") for row in await ROWS[name](run)]
    return Measured(rows, facts)


def _check(measured: Measured) -> None:
    """Print each stable ratio beside that of the newest whole run; exit if one is worse by a third."""
    runs = read_history(FOLDER)
    if not runs:
        raise typer.BadParameter("there is no whole run to compare with: run `make bench` first")
    found = list(check_ratios(compared_in(measured.rows), runs[0], STABLE))
    for one in found:
        typer.echo(str(one))
    if any(one.is_worse for one in found):
        raise typer.Exit(EXIT_WORSE)


if __name__ == "__main__":
    app()
