"""Text for outputs whose encoding lacks some of its characters: they never raise, and get plain ones."""

import codecs
from typing import Final

PLAIN_ERRORS: Final = "batchprogress.plain"
"""The name of the error handler, for `open`, `encode` and `reconfigure`."""
_PLAIN: Final = {"…": "...", "─": "-", "█": "#", "░": "."}
_UNKNOWN: Final = "?"


def plain(text: str, encoding: str | None) -> str:
    """Return the text with plain characters in place of those that an encoding lacks.

    Args:
        text: any text.
        encoding: the encoding of the output; None if it takes every character.

    """
    return text if encoding is None else text.encode(encoding, PLAIN_ERRORS).decode(encoding)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(one, _UNKNOWN) for one in error.object[error.start : error.end]), error.end


codecs.register_error(PLAIN_ERRORS, _replaced)
