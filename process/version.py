"""The version of the servers and their tools, and the option that prints it."""

from typing import Annotated

import typer

VERSION = "0.2.0"
"""Equal to that of pyproject.toml, as a test proves; a checkout without an installation has no metadata."""


def _print_version(requested: bool) -> None:  # noqa: FBT001  # typer passes the option's value
    if requested:
        typer.echo(f"batchprogress-server {VERSION}")
        raise typer.Exit


ShowVersion = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit."),
]
"""The type of a parameter that every command has, with the default False; the command need not look at it."""
