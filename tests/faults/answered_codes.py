"""The codes that the contract documents for each method, and what no answer may tell."""

import re
from functools import cache

from tests.support.progress import ROOT

LEAKS = ("Traceback", "Error(", "Exception", "mysql+", "mariadb+", "sqlite", "root@", "asyncmy", "sqlalchemy")
"""Texts of exceptions and parts of database URLs, which must not leave the server."""
HEALTHY = ("UNAVAILABLE / DATABASE_UNAVAILABLE", "UNAVAILABLE / SHUTTING_DOWN", "INTERNAL / INTERNAL")
"""Documented codes that must not occur here, since nothing is unavailable or defective."""


@cache
def documented(method: str) -> frozenset[str]:
    """Return the codes that the comments of the contract document for a method, except unavailability."""
    texts = [file.read_text() for file in (ROOT / "protos/batchprogress/v1").glob("*.proto")]
    answers = {one for text in texts for one in _answers_in(text[: text.index("syntax =")])}
    comments = r"((?:^ *//.*\n)+) *rpc " + method + r"\("
    for text in texts:
        answers |= {one for found in re.findall(comments, text, re.MULTILINE) for one in _answers_in(found)}
    return frozenset(answers.difference(HEALTHY))


def _answers_in(comment: str) -> list[str]:
    text = " ".join(re.sub(r"^ *//", "", comment, flags=re.MULTILINE).split())
    return re.findall(r"\b[A-Z_]+ / [A-Z_]+\b", text)
