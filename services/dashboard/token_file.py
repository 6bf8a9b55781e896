"""Reads the bearer token for the progress server from its file."""

from pathlib import Path


def token_in(file: Path) -> str:
    """Return the token of a file, without its line break.

    Raises:
        OSError: the file cannot be read.
        ValueError: the content is not a token; the message does not repeat it.

    """
    token = file.read_text(encoding="utf-8", errors="replace").strip()
    if not token or not (token.isascii() and token.isprintable()):
        raise ValueError("its content is not one line of printable ASCII characters")
    return token
