"""The options of every command, and what a command gets from them: a client and an output."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from batchprogress._grpc.connection import Connection
from batchprogress.cli.cli_errors import CommandError, command_error
from batchprogress.cli.client import AsyncCommandClient, CommandClient, say, say_what_is_logged
from batchprogress.cli.output import Output
from batchprogress.cli.probing import TlsPaths
from batchprogress.errors import CallFailed
from batchprogress.tls import TlsFiles

DEFAULT_SERVER = "127.0.0.1:50051"


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    client: CommandClient
    async_client: AsyncCommandClient
    out: Output
    server: str
    tls: TlsPaths | None
    """None for plaintext."""


def _pem_file(variable: str, help_text: str) -> Any:
    """Return the option of an existing file that is also a setting."""
    return typer.Option(
        envvar=variable, exists=True, dir_okay=False, readable=True, metavar="FILE", help=help_text
    )


@contextmanager
def opened(  # noqa: PLR0913  # the options
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")] = False,
    server: Annotated[
        str,
        typer.Option(envvar="BATCHPROGRESS_SERVER", metavar="HOST:PORT", help="The address of the server."),
    ] = DEFAULT_SERVER,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Give up if the server does not answer for this long. Default: 10; watch: never.",
        ),
    ] = None,
    tls: Annotated[
        bool,
        typer.Option("--tls", envvar="BATCHPROGRESS_TLS", help="Use TLS with the system's CA certificates."),
    ] = False,
    ca: Annotated[
        Path | None, _pem_file("BATCHPROGRESS_CA", "Use TLS with the CA certificates in this PEM file.")
    ] = None,
    certificate: Annotated[
        Path | None,
        _pem_file(
            "BATCHPROGRESS_CERTIFICATE", "Use TLS and present the client certificate in this PEM file."
        ),
    ] = None,
    key: Annotated[
        Path | None, _pem_file("BATCHPROGRESS_KEY", "The PEM file with the key of that certificate.")
    ] = None,
    token_file: Annotated[
        Path | None,
        _pem_file(
            "BATCHPROGRESS_TOKEN_FILE",
            "Send the bearer token in this file; it is read again for each call. Use it with TLS.",
        ),
    ] = None,
) -> Iterator[Session]:
    """Open a session. An error ends the process with one sentence and an exit code."""
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")
    uses_tls = tls or ca is not None or certificate is not None
    paths = TlsPaths(ca, certificate, key) if uses_tls else None
    credentials = _tls_files(ca, certificate, key) if uses_tls else None
    token = None if token_file is None else _token_in(token_file)
    connection = Connection(server, credentials, token)
    client = CommandClient(connection, timeout)
    say_what_is_logged()
    try:
        async_client = AsyncCommandClient(connection, timeout)
        yield Session(client, async_client, Output(as_json=as_json), server, paths)
    except CallFailed as error:
        raise _exit(command_error(error, server)) from None
    except CommandError as error:
        raise _exit(error) from None
    finally:
        client.close()


def add_command(app: typer.Typer, command: Callable[..., None]) -> None:
    """Add a command: a function of a session and its own options. It gets those of every command too."""
    own = [*inspect.signature(command).parameters.values()][1:]
    shared = [*inspect.signature(opened).parameters.values()]

    def run(**values: Any) -> None:
        with opened(**{one.name: values.pop(one.name) for one in shared}) as session:
            command(session, **values)

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared)]
    run.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]  # what typer makes options from
    app.command(name=command.__name__.rstrip("_").replace("_", "-"), help=inspect.getdoc(command))(run)


def _exit(error: CommandError) -> typer.Exit:
    say(str(error))
    return typer.Exit(error.code)


def _tls_files(ca: Path | None, certificate: Path | None, key: Path | None) -> TlsFiles:
    """Return the credentials, which a watch of hours reads again when they were renewed."""
    try:
        return TlsFiles(ca, certificate, key)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--ca, --certificate or --key") from None


def _token_in(file: Path) -> Callable[[], str]:
    def token() -> str:
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        if not text or not (text.isascii() and text.isprintable()):
            raise typer.BadParameter(f"{file} holds no token", param_hint="--token-file")
        return text

    token()  # an empty file is reported before anything is sent
    return token
