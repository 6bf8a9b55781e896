"""python -m rpc.new_token: make a token, show it once, and print the lines that let it in."""

import sys
from typing import Annotated

import typer

from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token

HELP = """\
Make a token. It goes to standard error and is kept nowhere: hand it to whoever will use it. The lines for
the file of tokens (PROGRESS_TOKENS_FILE, JOB_STATUS_TOKENS_FILE) go to standard output; they do not hold
the token, and a server reads its file anew when it changes:

\b
    python -m rpc.new_token billing-workers --role worker >> tokens.toml
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def main(
    name: Annotated[str, typer.Argument(help="Whose token it is: what logs and limits name.")],
    role: Annotated[
        list[Role],
        typer.Option(
            help="What it may do; may be given again. worker: report. reader: get, list, watch."
            " operator: create, add, seal, cancel."
        ),
    ],
    batch_prefix: Annotated[
        str, typer.Option(help="It knows only batches whose ids begin so. Default: all.")
    ] = "",
) -> None:
    """Print both."""
    token = new_token()
    try:
        entry = entry_text(name, token, role, batch_prefix)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    print(token, file=sys.stderr)  # noqa: T201  # shown once
    print(entry)  # noqa: T201


if __name__ == "__main__":
    app()
