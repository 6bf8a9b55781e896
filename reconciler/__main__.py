"""python -m reconciler: one pass, then exit."""

from process import start

with start.imports():
    import asyncio
    import enum
    import io
    import os
    import sys
    from functools import partial
    from typing import Annotated

    import structlog
    import typer

    from batches.errors import DatabaseUnavailable, DatabaseUnusable, SchemaMismatch
    from batches.result import JobOutcome
    from batches.settings import DatabaseSettings
    from batchprogress.plain_text import PLAIN_ERRORS
    from process import gc_tuning, logs
    from process.configuration import load, refuse
    from process.options import settings_help
    from process.signals import stop_requested
    from process.version import ShowVersion
    from reconciler import wiring
    from reconciler.output import progress_bar
    from reconciler.output.json_lines import JsonLines
    from reconciler.output.pending_lines import write_jobs
    from reconciler.output.tables import note_of, print_report, report_console
    from reconciler.output.wording import THE_QUEUE, sentence
    from reconciler.queue.port import QueueError
    from reconciler.run.deadline import FINISH_SECONDS_MAX, Deadline, StopReason
    from reconciler.run.result import Output, RunLog, RunReport, RunSummary, ignore
    from reconciler.run.sweep import RunOptions
    from reconciler.settings import ReconcilerSettings
    from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE

EXIT_NOT_DONE = 1

HELP = """\
Repair stuck batches with the results that their queue knows, in one pass; then exit.

By default, checks batches with no result for RECONCILER_STUCK_AFTER seconds. Results that were never
reported are taken from the queue, and a batch ends once all its jobs have ended there. A reported result is
kept unless the queue knows a later attempt of its job. Batches that ended more than RECONCILER_RETENTION
seconds ago are deleted, except with --batch-id or --dry-run.

Only one pass runs at a time: a second one says so and exits 0, also for up to a minute after a pass was
killed. A dry run, and a run with --batch-id, may run beside a pass.

The batches are in the database that BATCHES_DATABASE_URL names. The last line of standard output is the
summary as JSON. With --json, every line is a JSON object: one for each batch as soon as it was checked
(batch_id, dry_run, repaired, before and after with the field names of the contract, reasons,
results_recorded, results_counted, left with its left_reason, is_error, needs_person), then the summary, the
only one without a batch_id. Everything else goes to standard error.

\b
Exit codes:
 0  done, or another pass is running
 1  the pass failed: stopped by a signal, or the database or the job-status
    service is unavailable, or denies access; try again. With an option that
    selects batches, or --dry-run, also: a batch does not exist or could not be
    repaired because of an error, or the time was up before all were checked
 2  wrong arguments
78  invalid configuration, or a database with the schema of another version
"""


# No rich in the help: it keeps the line breaks of a docstring and then wraps each line.
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class EndPendingAs(enum.StrEnum):
    """The outcomes that a person may give to jobs without a result, as they are typed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


def _identifier(value: str | None) -> str | None:
    if value is not None and IDENTIFIER.fullmatch(value) is None:
        raise typer.BadParameter(f"must be {IDENTIFIER_RULE}")
    return value


@app.command(help=HELP, epilog=settings_help(ReconcilerSettings, DatabaseSettings))
def reconcile(  # noqa: PLR0913  # options, by keyword only
    *,
    batch_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            callback=_identifier,
            help="Check only this batch, however recent its last result is.",
        ),
    ] = None,
    all_batches: Annotated[
        bool,
        typer.Option(
            "--all", help="Check every batch that has not ended, however recent its last result is."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; print what would be done.")
    ] = False,
    end_pending_as: Annotated[
        EndPendingAs | None,
        typer.Option(
            "--end-pending-as",
            help="End the batch of --batch-id, whatever the queue says: its jobs without a result count as"
            " succeeded, failed or skipped. Results that were reported, or that the queue knows, stay.",
        ),
    ] = None,
    trust_clock: Annotated[
        bool,
        typer.Option(
            "--trust-clock",
            help="Delete old batches by the database's clock, even if it has gone ahead by more than 25 hours"
            " since the last pass: use it if the clock is right, and no pass has run for that time.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each batch, then the summary.")
    ] = False,
    list_pending: Annotated[
        bool,
        typer.Option(
            "--list-pending",
            help="Only list the jobs of the batch of --batch-id that are pending in the queue, all of them;"
            " with --json one object per line. Asks the queue and writes nothing.",
        ),
    ] = False,
    _version: ShowVersion = False,
) -> None:
    """Run one pass and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=PLAIN_ERRORS)  # its encoding may lack characters of names in the queue
    if list_pending:
        raise typer.Exit(_list_pending(batch_id, end_pending_as, as_json=as_json))
    if batch_id is not None and all_batches:
        raise typer.BadParameter("--batch-id and --all exclude each other")
    if end_pending_as is not None and batch_id is None:
        raise typer.BadParameter("--end-pending-as needs --batch-id")
    if trust_clock and (batch_id is not None or dry_run):
        raise typer.BadParameter("--trust-clock excludes --batch-id and --dry-run, which delete nothing")
    options = RunOptions(
        batch_id=batch_id,
        all_batches=all_batches,
        dry_run=dry_run,
        trust_clock=trust_clock,
        end_pending_as=JobOutcome[end_pending_as.name] if end_pending_as is not None else None,
    )
    logs.configure()
    settings, database_settings = (
        load(ReconcilerSettings, DatabaseSettings),
        load(DatabaseSettings, ReconcilerSettings),
    )
    lines = JsonLines(sys.stdout, dry_run=dry_run) if as_json else None
    try:
        report = asyncio.run(_run(settings, database_settings, options, lines))
    except (SchemaMismatch, DatabaseUnusable) as error:
        refuse(str(error))
    if lines is None:
        print_report(report_console(), report)
    else:
        if note := note_of(report):
            typer.echo(note, err=True)
        lines.write_summary(report.summary)
    is_complete = lines is None or not lines.is_broken
    is_done = report.summary.is_clean if options.is_by_hand else not report.summary.has_failed
    raise typer.Exit(0 if is_done and is_complete else EXIT_NOT_DONE)


def _list_pending(batch_id: str | None, end_pending_as: EndPendingAs | None, *, as_json: bool) -> int:
    """List the pending jobs of a batch; return the exit code."""
    if batch_id is None:
        raise typer.BadParameter("--list-pending needs --batch-id")
    if end_pending_as is not None:
        raise typer.BadParameter("--list-pending and --end-pending-as exclude each other")
    logs.configure()
    settings = load(ReconcilerSettings)
    try:
        asyncio.run(wiring.list_pending(settings, batch_id, partial(write_jobs, as_json=as_json)))
    except QueueError as error:
        typer.echo(str(error).replace(THE_QUEUE, settings.queue_name), err=True)
        return EXIT_NOT_DONE
    except BrokenPipeError:  # `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python fails at its exit
    return 0


async def _run(
    settings: ReconcilerSettings,
    database_settings: DatabaseSettings,
    options: RunOptions,
    lines: JsonLines | None,
) -> RunReport:
    gc_tuning.tune_gc()
    deadline = Deadline(settings.pass_seconds_max)
    stopping = asyncio.create_task(_stop_on_signal(stop_requested(), deadline))
    try:
        output = Output(lines.write if lines else ignore, partial(sentence, queue_name=settings.queue_name))
        async with progress_bar.shown(output.progress):
            return await wiring.run_pass(settings, database_settings, options, deadline, output)
    except DatabaseUnusable:
        raise
    except DatabaseUnavailable as error:
        structlog.get_logger().error("the pass did not begin", reason=str(error))
        summary = RunSummary(dry_run=options.dry_run, cut_short=StopReason.DATABASE_UNAVAILABLE)
        return RunReport(summary, RunLog())
    finally:
        stopping.cancel()
        deadline.close()


async def _stop_on_signal(stopped: asyncio.Event, deadline: Deadline) -> None:
    await stopped.wait()
    structlog.get_logger().info("stopping", seconds_max=FINISH_SECONDS_MAX)
    deadline.stop(StopReason.SIGNAL)


if __name__ == "__main__":
    app()
