"""Which errors are similar: their messages differ only in ids, numbers, addresses and quoted values. Pure.

The template of a message is the message with each of these parts replaced by PLACEHOLDER:

    no answer from 10.0.0.7:5432 after 30 s         no answer from <*> after <*> s
    row 17 of '/in/2026-11/part-3.csv' is empty     row <*> of <*> is empty
    job 0b0c3f6e-6d0e-4b1c-9d5a-1f1a5a7f3c11 lost   job <*> lost
    ids [1, 2, 3] are unknown                       ids [<*>] are unknown

Errors of one type and one template have the same fingerprint. It is computed once, when a failure is
recorded, and stored: to group a million failures the database counts numbers and reads no message.
So the fingerprint of a message must never change between versions; otherwise the similar failures of
a batch that is under way during an upgrade would form two groups.
"""

import re
from hashlib import blake2b

PLACEHOLDER = "<*>"
"""Replaces a part that varies; log parsers mark their templates in the same way."""
CHARACTERS_READ_MAX = 500
"""The beginning of a message identifies its error; the limit bounds the cost of a hostile message."""

FINGERPRINT_DIGITS = 16
"""64 bits in hexadecimal: JavaScript cannot hold such a number."""
_UNSIGNED_MAX = 2**64 - 1

# All alternatives but quotes begin at the first letter of a word: checking this once instead of in each
# alternative halves the time.
_VARYING = re.compile(
    r"""
    '(?<!\w')[^']*'(?!\w) | "[^"]*" | `[^`]*`      # a quoted value, but not the text between two apostrophes
    | (?<![^\W_]) (?=[\w.+%:-]) (?:
          (?<![\w.+%-]) [\w.+%-]+@[\w.-]+           # a mail address
        | (?<![\w-]) [0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}  # a UUID: a part may have no digit
        | (?<![\w:]) (?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}  # an IPv6 or MAC address
        | [0-9a-fA-F]{8,}(?![^\W_])                 # a hash, even one of letters only
        | (?:[-+](?<!\w[-+]))? (?<![^\W_]) [^\W\d_]*\d[^\W_]*  # a word with a digit: 17, 0x7f3a, E1234
    )
    """,
    re.VERBOSE,
)
_SEVERAL = re.compile(rf"{re.escape(PLACEHOLDER)}(?:[-.:/_+,;]?\s?{re.escape(PLACEHOLDER)})+")
"""The parts of a date, of a number with commas or of a list of ids: their number varies as well."""


def template_of(error_message: str) -> str:
    """Return the template of a message: whitespace collapsed, only the first 500 characters read."""
    text = " ".join(error_message[:CHARACTERS_READ_MAX].split())
    return _SEVERAL.sub(PLACEHOLDER, _VARYING.sub(PLACEHOLDER, text))


def fingerprint_of(error_type: str, error_message: str) -> int:
    """Return the fingerprint of an error, a signed number of 64 bits."""
    text = f"{error_type}\0{template_of(error_message)}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


def as_text(fingerprint: int) -> str:
    """Return a stored fingerprint as the contract writes it: 16 hexadecimal digits."""
    return f"{fingerprint & _UNSIGNED_MAX:0{FINGERPRINT_DIGITS}x}"


def from_text(digits: str) -> int:
    """Return the stored fingerprint that the contract writes as these 16 hexadecimal digits."""
    return int.from_bytes(bytes.fromhex(digits), signed=True)
