"""Which errors are alike: their messages differ only in ids, numbers, addresses and quoted values. Pure.

A message's template is the message with each such part replaced by PLACEHOLDER, so that a
thousand messages of a thousand rows are one kind of error:

    no answer from 10.0.0.7:5432 after 30 s         no answer from <*> after <*> s
    row 17 of '/in/2026-11/part-3.csv' is empty     row <*> of <*> is empty
    job 0b0c3f6e-6d0e-4b1c-9d5a-1f1a5a7f3c11 lost   job <*> lost
    ids [1, 2, 3] are unknown                       ids [<*>] are unknown

Kinds are computed once, when a failure is recorded, and kept: of a million failures the
database counts numbers and reads no message. So a message's kind must never change from one
version to the next, or the failures of a batch under way fall in two groups.
"""

import re
from hashlib import blake2b

PLACEHOLDER = "<*>"
"""What stands for a part that varies; as in the templates of log parsers."""
LOOKED_AT_CHARACTERS_MAX = 500
"""What makes an error's kind stands at its beginning; a bound on what a hostile message costs."""

# All but quotes begin at a word's first letter: to ask that once, and not in each branch, halves the time.
_VARYING = re.compile(
    r"""
    '(?<!\w')[^']*'(?!\w) | "[^"]*" | `[^`]*`      # a quoted value, and not what lies between two apostrophes
    | (?<![^\W_]) (?=[\w.+%:-]) (?:
          (?<![\w.+%-]) [\w.+%-]+@[\w.-]+           # a mail address
        | (?<![\w-]) [0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}  # a UUID: a part may have no digit
        | (?<![\w:]) (?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}  # an address of IPv6, or of a network card
        | [0-9a-fA-F]{8,}(?![^\W_])                 # a hash of letters only is one too
        | (?:[-+](?<!\w[-+]))? (?<![^\W_]) [^\W\d_]*\d[^\W_]*  # any word with a digit: 17, 0x7f3a, E1234
    )
    """,
    re.VERBOSE,
)
_SEVERAL = re.compile(rf"{re.escape(PLACEHOLDER)}(?:[-.:/_+,;]?\s?{re.escape(PLACEHOLDER)})+")
"""The parts of a date, a number with commas, a list of ids: how many there are varies as well."""


def template_of(error_message: str) -> str:
    """Return a message without what varies, blanks made one; looks at its first 500 characters."""
    text = " ".join(error_message[:LOOKED_AT_CHARACTERS_MAX].split())
    return _SEVERAL.sub(PLACEHOLDER, _VARYING.sub(PLACEHOLDER, text))


def kind_of(error_type: str, error_message: str) -> int:
    """Return a number of 64 bits, signed: the same for errors of one type whose messages are alike."""
    alike = f"{error_type}\0{template_of(error_message)}"
    digest = blake2b(alike.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
