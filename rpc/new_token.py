"""python -m rpc.new_token: make a token, print it once, and print its table for the file of tokens."""

from typing import Annotated

import typer

from process.version import ShowVersion
from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token

HELP = """\
Make a token. It is printed once, to standard error, and not stored: give it to its user. Its table for the
file of tokens (PROGRESS_TOKENS_FILE, JOB_STATUS_TOKENS_FILE) is printed to standard output. The table does
not contain the token, and servers reload the file when it changes:

\b
    python -m rpc.new_token billing-workers --role worker >> tokens.toml
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def main(
    name: Annotated[str, typer.Argument(help="The name of the caller, for logs and limits.")],
    role: Annotated[
        list[Role],
        typer.Option(
            help="What the caller may do; may be repeated. worker: report. reader: get, list, watch."
            " operator: create, add, seal, cancel, delete, retry a webhook."
        ),
    ],
    batch_prefix: Annotated[
        str, typer.Option(help="Restrict the caller to batches whose ids begin with this. Default: all.")
    ] = "",
    *,
    _version: ShowVersion = False,
) -> None:
    """Print the token and its table."""
    token = new_token()
    try:
        entry = entry_text(name, token, role, batch_prefix)
    except ValueError as error:
        raise typer.BadParameter(str(error).removeprefix("token.0.")) from None
    typer.echo(token, err=True)  # the only time it is shown
    typer.echo(entry)


if __name__ == "__main__":
    app()
