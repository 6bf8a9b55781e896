"""The bearer token that the progress server is shown, out of its file."""

from pathlib import Path


def token_in(file: Path) -> str:
    """Return the token, without the line break after it.

    Raises:
        OSError: the file cannot be read.
        ValueError: what it holds cannot be sent; the text tells nothing of it.

    """
    token = file.read_text(encoding="utf-8", errors="replace").strip()
    if not token or not (token.isascii() and token.isprintable()):
        raise ValueError("it is not one line of printable ASCII characters")
    return token
