"""The command line: its commands and the help of the whole."""

from typing import Annotated

import typer

import batchprogress
from batchprogress.cli import (
    checking,
    deletion,
    deliveries,
    doctor,
    failures,
    job,
    lifecycle,
    listing,
    operations,
    pending,
    reporting,
    showing,
    watch_tokens,
    watching,
)
from batchprogress.cli.session import add_command

HELP = """\
Create batches, report how jobs ended, and watch batches live.

Answers go to standard output, everything else to standard error. A terminal shows tables and moving bars;
other outputs get plain lines. NO_COLOR switches colours off. With --json each line is an object with the
field names of the contract (progress.proto, operations.proto).

`check` compares a batch with the results that the server lists. To compare all counters in the database with
all rows, run `python -m batches check` with access to the database.

\b
Exit codes:
  0  done; watch: completed without failures
  1  watch: completed, some jobs failed; check: there are differences; doctor: a check failed;
     delete: not confirmed
  2  wrong arguments
  3  watch: cancelled
  4  the batch or the delivery does not exist; job: the job has no result
  5  the server did not answer within --timeout
  6  the server refused the call
  7  check: the batch changed during each comparison
130  Ctrl-C
"""
EPILOG = """\
Settings, each of which is also an option of every command:

BATCHPROGRESS_SERVER (default 127.0.0.1:50051): host:port, or any gRPC name, such as dns:///progress:50051.

BATCHPROGRESS_TLS, BATCHPROGRESS_CA: use TLS with the system's CA certificates, or with those in a PEM file.

BATCHPROGRESS_CERTIFICATE, BATCHPROGRESS_KEY: the client's own certificate, for a server that requires one.

BATCHPROGRESS_TOKEN_FILE: a file with a bearer token.

GRPC_VERBOSITY=NONE: silence the lines that gRPC itself writes about a failed TLS handshake.
"""

# Without rich, because its help keeps the line breaks of a docstring and then wraps each line.
app = typer.Typer(
    help=HELP, epilog=EPILOG, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _print_version(*, is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"batchprogress {batchprogress.__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options before the command."""


for _command in (
    lifecycle.create,
    lifecycle.add,
    lifecycle.seal,
    reporting.report,
    watching.watch,
    listing.list_,
    showing.show,
    failures.failures,
    job.job,
    pending.pending,
    operations.passes,
    deliveries.deliveries,
    operations.info,
    doctor.doctor,
    watch_tokens.watch_token,
    lifecycle.cancel,
    deletion.delete,
    checking.check,
):
    add_command(app, _command)
