"""Generates services/gateway/openapi.json from the protos: `python -m docs.openapi`.

With --check it writes nothing and exits 1 if the file is out of date.
"""

import sys
from typing import Annotated

import typer

from docs.openapi.document import document_text
from services.gateway.app import OPENAPI_FILE


def main(
    *, check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if the file is old.")] = False
) -> None:
    """Write services/gateway/openapi.json."""
    if not check:
        OPENAPI_FILE.write_text(document_text(), encoding="utf-8")
    elif not OPENAPI_FILE.exists() or OPENAPI_FILE.read_text(encoding="utf-8") != document_text():
        sys.stderr.write("services/gateway/openapi.json is out of date: run `make openapi`\n")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
