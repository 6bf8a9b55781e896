"""python -m reconciler: one pass, then exit."""

import asyncio
import sys
from contextlib import nullcontext
from typing import Annotated

import structlog
import typer

from batches.errors import DatabaseUnavailable, SchemaMismatch
from batches.settings import DatabaseSettings
from process import gc_tuning, logs
from process.configuration import load, refuse
from process.signals import stop_requested
from reconciler import usage
from reconciler.output import progress_bar
from reconciler.output.json_lines import JsonLines
from reconciler.output.tables import print_report, report_console
from reconciler.run.deadline import PassEnd
from reconciler.run.result import PassResult, Record
from reconciler.run.sweep import PassOptions, PassReport
from reconciler.settings import ReconcilerSettings
from reconciler.wiring import run_pass
from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE

EXIT_NOT_CLEAN = 1


# No rich in the help: it keeps the line breaks of a docstring and then wraps each line.
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _identifier(value: str | None) -> str | None:
    if value is not None and IDENTIFIER.fullmatch(value) is None:
        raise typer.BadParameter(f"must be {IDENTIFIER_RULE}")
    return value


@app.command(help=usage.HELP, epilog=usage.settings_text())
def reconcile(
    *,
    batch_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", callback=_identifier, help="Look at this batch only, however fresh it is."
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Look at every batch that has not ended, however fresh it is.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; print what would be done.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, an object a line: each batch, then the summary.")
    ] = False,
) -> None:
    """Run one pass and exit with its code."""
    if batch_id is not None and every:
        raise typer.BadParameter("--batch-id and --all exclude each other")
    options = PassOptions(batch_id=batch_id, every=every, dry_run=dry_run)
    settings, database_settings = load(ReconcilerSettings), load(DatabaseSettings)
    logs.configure()
    try:
        lines = JsonLines(sys.stdout) if as_json else None
        report = asyncio.run(_run(settings, database_settings, options, lines))
    except SchemaMismatch as error:
        refuse(str(error))
    if lines is None:
        print_report(report_console(), report)
    else:
        if report.note:
            typer.echo(report.note, err=True)
        lines.summary(report.result)
    is_told = lines is None or not lines.is_broken
    raise typer.Exit(0 if report.result.is_clean and is_told else EXIT_NOT_CLEAN)


async def _run(
    settings: ReconcilerSettings,
    database_settings: DatabaseSettings,
    options: PassOptions,
    lines: JsonLines | None,
) -> PassReport:
    gc_tuning.tune_gc()
    end = PassEnd(settings.pass_seconds_max)
    stopping = asyncio.create_task(_cut_on_signal(stop_requested(), end))
    try:
        with nullcontext(lines.looked) if lines else progress_bar.shown() as on_looked:
            return await run_pass(settings, database_settings, options, end, on_looked)
    except DatabaseUnavailable:
        why = "the database does not answer"
        return PassReport(PassResult(dry_run=options.dry_run, cut_short=why), Record())
    finally:
        stopping.cancel()
        end.close()


async def _cut_on_signal(stopped: asyncio.Event, end: PassEnd) -> None:
    await stopped.wait()
    structlog.get_logger().info("stopping")
    end.cut("stopped by a signal")


if __name__ == "__main__":
    app()
