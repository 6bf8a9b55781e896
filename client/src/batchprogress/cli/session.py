"""The options that every command has, and what they make: a client and an output."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from batchprogress._grpc.connection import Connection
from batchprogress.cli.cli_errors import Complaint
from batchprogress.cli.client import Client
from batchprogress.cli.output import Output
from batchprogress.tls import TlsFiles


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    client: Client
    out: Output


@contextmanager
def opened(  # noqa: PLR0913  # the options
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")] = False,
    server: Annotated[
        str,
        typer.Option(envvar="BATCHPROGRESS_SERVER", metavar="HOST:PORT", help="Where the server is."),
    ] = "127.0.0.1:50051",
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="How long the server may be away. Default: 10; for watch: as long as it is.",
        ),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", envvar="BATCHPROGRESS_TLS", help="Use TLS, with the system's roots.")
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHPROGRESS_CA",
            exists=True,
            dir_okay=False,
            readable=True,
            metavar="FILE",
            help="Use TLS, with the roots in this PEM file.",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHPROGRESS_CERTIFICATE",
            exists=True,
            dir_okay=False,
            readable=True,
            metavar="FILE",
            help="Use TLS, and show the server the certificate in this PEM file.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHPROGRESS_KEY",
            exists=True,
            dir_okay=False,
            readable=True,
            metavar="FILE",
            help="The key of that certificate, PEM.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHPROGRESS_TOKEN_FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            metavar="FILE",
            help="Send the bearer token in this file, read anew for each call. Use TLS with it.",
        ),
    ] = None,
) -> Iterator[Session]:
    """Open a session; what a command complains of ends the process with one sentence."""
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    uses_tls = tls or ca is not None or certificate is not None
    credentials = TlsFiles(ca, certificate, key) if uses_tls else None
    token = None if token_file is None else _token_in(token_file)
    try:
        with Client(Connection(server, credentials, token), timeout) as client:
            yield Session(client, Output(as_json=as_json))
    except Complaint as complaint:
        typer.echo(f"batchprogress: {complaint}", err=True)
        raise typer.Exit(complaint.code) from None


def add_command(app: typer.Typer, function: Callable[..., None]) -> None:
    """Add a function of (session, its own options) as the command of its name, with its docstring as help."""
    options = {name: one for name, one in _parameters(opened).items() if name != "return"}
    own = {name: one for name, one in _parameters(function).items() if name != "session"}

    def run(**values: Any) -> None:
        with opened(**{name: values.pop(name) for name in options}) as session:
            function(session, **values)

    # typer reads both: the signature for defaults, the annotations for the rest.
    run.__signature__ = inspect.Signature([*own.values(), *options.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in (own | options).items()}
    app.command(name=function.__name__.rstrip("_"), help=inspect.getdoc(function))(run)


def _parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Return the parameters as options are given: by name."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: one.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, one in inspect.signature(function).parameters.items()
    }


def _token_in(file: Path) -> Callable[[], str]:
    def token() -> str:
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        if not text or not (text.isascii() and text.isprintable()):
            raise typer.BadParameter(f"{file} holds no token", param_hint="--token-file")
        return text

    token()  # a file that holds none is said before anything is sent
    return token
