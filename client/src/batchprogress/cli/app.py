"""The command line: which commands there are."""

import typer

from batchprogress.cli import failures, lifecycle, listing, reporting, showing, watching
from batchprogress.cli.session import add_command

HELP = """\
Create batches, report how jobs ended, and watch how far batches are.

The answer goes to standard output, everything else to standard error. On a terminal answers are tables and
bars that move, elsewhere plain lines; NO_COLOR takes the colours away. With --json each line is an object
with the names of the contract (progress.proto).

The database is compared with itself where it is: `python -m batches check` on a server.

\b
Exit codes:
  0  done; watch: completed without failures
  1  watch: completed, some jobs failed
  2  wrong arguments
  3  watch: cancelled
  4  there is no such batch
  5  the server was away for longer than --timeout
  6  the server refused it
130  Ctrl-C
"""
EPILOG = """\
Settings, each also an option of every command:

BATCHPROGRESS_SERVER (default 127.0.0.1:50051): host:port, or any gRPC name, as dns:///progress:50051.

BATCHPROGRESS_TLS, BATCHPROGRESS_CA: TLS with the system's roots, or with those in a PEM file.

BATCHPROGRESS_CERTIFICATE, BATCHPROGRESS_KEY: PEM files of one's own certificate, for a server that asks.

BATCHPROGRESS_TOKEN_FILE: a file with a bearer token.

GRPC_VERBOSITY=NONE: without the lines that gRPC itself writes about a failed TLS handshake.
"""

# No rich in the help: it keeps the line breaks of a docstring and then wraps each line.
app = typer.Typer(
    help=HELP, epilog=EPILOG, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
for _command in (
    lifecycle.create,
    lifecycle.add,
    lifecycle.seal,
    reporting.report,
    watching.watch,
    listing.list_,
    showing.show,
    failures.failures,
    lifecycle.cancel,
):
    add_command(app, _command)
