"""python -m bench: measure our server and its alternatives in one run."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.load.processes import CHECKOUT
from bench.load.workload import FULL, QUICK, Pace
from bench.measure import machine
from bench.measure.contestants import Inexact
from bench.measure.run import Run
from bench.measure.stores import mysql
from bench.report.markdown import PLOTS, markdown
from bench.report.plots import draw
from bench.report.results import Plot, Row
from bench.rows import ROWS
from database_servers import DatabaseServerUnavailable
from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.redis import RedisServer, redis_server

EXIT_INEXACT = 1
EXIT_NO_STORE = 2
REPORT = "RESULTS.md"

app = typer.Typer(add_completion=False)


@app.command(
    help="Measure rows (by default all) and print a report with their ratios. Rows: " + ", ".join(ROWS) + "."
    " A run of all rows at full length is written to bench/RESULTS.md, any other run only to --out."
)
def main(
    rows: Annotated[list[str] | None, typer.Argument(help="Measure these rows only.", metavar="ROW")] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"Write {REPORT} and its plots into this folder.", file_okay=False)
    ] = None,
    quick: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--quick", help="Measure one short round each, to see that it works.")
    ] = False,
) -> None:
    """Measure rows, print the report, and write it to a file."""
    names = _checked(rows or list(ROWS))
    folder = out or (CHECKOUT / "bench" if not rows and not quick else None)
    try:
        with redis_server() as redis:
            report, plots = asyncio.run(_measure(names, redis, QUICK if quick else FULL))
    except Inexact as error:
        typer.echo(f"a count is wrong, so there is no report: {error}", err=True)
        raise typer.Exit(EXIT_INEXACT) from None
    except (DatabaseServerUnavailable, PackageUnavailable, CommandFailed) as error:
        typer.echo(f"cannot start a store: {error}", err=True)
        raise typer.Exit(EXIT_NO_STORE) from None
    typer.echo(report)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(report, encoding="utf-8")
        draw(plots, folder / PLOTS)


def _checked(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise typer.BadParameter(f"no row is called {', '.join(unknown)}; the rows are {', '.join(ROWS)}")
    return names


async def _measure(names: Iterable[str], redis: RedisServer, pace: Pace) -> tuple[str, list[Plot]]:
    rows: list[Row] = []
    async with mysql() as mysql_server:
        facts = await machine.describe(mysql_server, redis)
        run = Run(mysql_server, redis, pace, lambda line: typer.echo(line, err=True))
        for name in names:
            typer.echo(f"— {name}", err=True)
            rows += [replace(row, title=f"{name}: {row.title}") for row in await ROWS[name](run)]
    return markdown(rows, facts, pace), [plot for row in rows for plot in row.plots]


if __name__ == "__main__":
    app()
