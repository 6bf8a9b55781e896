"""python -m services.progress: serve ProgressService until SIGTERM or SIGINT."""

from process import start

with start.imports():
    import structlog
    import typer

    from batches.errors import DatabaseUnavailable, DatabaseUnusable, SchemaMismatch
    from batches.settings import DatabaseSettings
    from process import event_loop, gc_tuning, logs, signals
    from process.children.child import Child
    from process.configuration import load, refuse
    from process.options import settings_help
    from process.version import ShowVersion
    from rpc.serving.processes import Processes
    from services.progress.settings import ProgressSettings

EXIT_UNAVAILABLE = 1
PARENT = 0
"""The number of the parent of several processes in the log."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help="Serve ProgressService until SIGTERM or SIGINT, then drain; a second signal exits at once.",
    epilog=settings_help(ProgressSettings, DatabaseSettings),
)
def main(*, _version: ShowVersion = False) -> None:
    """Read the settings and serve; exit 78 if they are invalid, 1 if the database does not answer."""
    logs.configure()
    settings, database = load(ProgressSettings, DatabaseSettings), load(DatabaseSettings, ProgressSettings)
    if settings.processes == 1:
        raise typer.Exit(run(settings, database))

    def run_child(shared: ProgressSettings, child: Child) -> int:
        logs.configure(process=child.number)
        return run(shared, database, child)

    logs.configure(process=PARENT)
    processes = Processes(settings, settings.processes, run_child, shares_port=settings.reuse_port)
    raise typer.Exit(processes.run(database=database.place))


def run(settings: ProgressSettings, database: DatabaseSettings, child: Child | None = None) -> int:
    """Serve until a signal; return the exit code.

    Raises:
        SystemExit: with code 78, if the settings, the schema or the database cannot be used.

    """
    try:
        event_loop.run(serve(settings, database, child))
    except (SchemaMismatch, DatabaseUnusable) as error:
        refuse(str(error))
    except DatabaseUnavailable as error:
        structlog.get_logger().error("not started: the database is unavailable", reason=str(error))
        return EXIT_UNAVAILABLE
    return 0


async def serve(settings: ProgressSettings, database: DatabaseSettings, child: Child | None = None) -> None:
    """Serve until a signal, or as a child until its parent ends it.

    Raises:
        Exception: a background task died; the server has been stopped.

    """
    # The parent of several processes must not import gRPC, which does not survive a fork.
    with start.imports():
        from services.progress.wiring import progress_server  # noqa: PLC0415

    stop = signals.stop_requested()
    if child is not None:
        child.follow(stop)
    async with progress_server(settings, database, child) as server:
        gc_tuning.tune_gc()
        await server.run_until(stop, database=database.place)
    structlog.get_logger().info("stopped")


if __name__ == "__main__":
    app()
