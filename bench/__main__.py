"""python -m bench: our server beside what a user would pick instead, measured in one run."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.load.workload import FULL, QUICK, Pace
from bench.measure import machine
from bench.measure.contestants import Inexact
from bench.measure.processes import CHECKOUT
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
    help="Measure rows (all, if none is named) and print a table of ratios. Rows: " + ", ".join(ROWS) + "."
    " A whole run at full length is kept in bench/RESULTS.md; any other only where --out says."
)
def main(
    rows: Annotated[list[str] | None, typer.Argument(help="Which rows.", metavar="ROW")] = None,
    out: Annotated[Path | None, typer.Option(help=f"Folder to write {REPORT} into.", file_okay=False)] = None,
    quick: Annotated[  # noqa: FBT002  # a flag of the command line
        bool, typer.Option("--quick", help="One short round each: shows that it works; numbers mean little.")
    ] = False,
) -> None:
    """Measure, print, keep."""
    names = _checked(rows or list(ROWS))
    folder = out or (CHECKOUT / "bench" if not rows and not quick else None)
    try:
        with redis_server() as redis:
            report, plots = asyncio.run(_measure(names, redis, QUICK if quick else FULL))
    except Inexact as error:
        typer.echo(f"inexact, so nothing else counts: {error}", err=True)
        raise typer.Exit(EXIT_INEXACT) from None
    except (DatabaseServerUnavailable, PackageUnavailable, CommandFailed) as error:
        typer.echo(f"a store is missing: {error}", err=True)
        raise typer.Exit(EXIT_NO_STORE) from None
    typer.echo(report)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT).write_text(report, encoding="utf-8")
        draw(plots, folder / PLOTS)


def _checked(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise typer.BadParameter(f"no row {', '.join(unknown)}; there are: {', '.join(ROWS)}")
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
