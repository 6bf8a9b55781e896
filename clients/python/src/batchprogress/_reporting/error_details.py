"""The stack trace of an exception, as the details of a report."""

import traceback

ERROR_DETAILS_BYTES_MAX = 16 * 1024
"""The contract's limit. The server cuts longer texts too, but at their end, where Python names the error."""
CUT = "…\n"
"""In place of the lines that are left out."""


def details_of(error: BaseException) -> str:
    """Return the stack trace of an exception, without values of variables; empty if it was never raised."""
    if error.__traceback__ is None and error.__cause__ is None:
        return ""
    try:
        return cut_details("".join(traceback.format_exception(error)))
    except Exception:  # noqa: BLE001  # the exception is the caller's code, and its report must not be lost
        return ""


def cut_details(text: str, bytes_max: int = ERROR_DETAILS_BYTES_MAX) -> str:
    """Return the last lines of a text that take at most so many bytes in UTF-8.

    A last line that alone is longer is cut at its end. Characters that UTF-8 cannot encode become ?.
    """
    encoded = text.encode(errors="replace")
    if len(encoded) <= bytes_max:
        return encoded.decode()
    room = bytes_max - len(CUT.encode())
    if room <= 0:
        return ""
    whole_lines = encoded[-room:].partition(b"\n")[2]
    if whole_lines.strip():
        return CUT + whole_lines.decode()
    last_line = encoded.rstrip(b"\n").rpartition(b"\n")[2]
    return CUT + last_line[:room].decode(errors="ignore")
