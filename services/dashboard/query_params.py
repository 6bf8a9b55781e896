"""Parses the query string of a request; raises InvalidQuestion."""

import re

from starlette.datastructures import QueryParams

from services.dashboard.errors import InvalidQuestion
from services.dashboard.listing import BatchFilter

IDENTIFIER = re.compile("[!-~]{1,128}")
"""The contract's rule: 1 to 128 printable ASCII characters without spaces."""
STATES = ("", "PROCESSING", "COMPLETED", "CANCELLED")
CHARACTERS_MAX = 2_000
"""The length of one value: above every limit of the contract and of the page's search box."""
LABELS_MAX = 32
"""The contract's limit."""


def to_batch_id(query: QueryParams) -> str:
    """Return the batch id, checked here because an id that no batch can have must take no place of a batch.

    It stands in the query, since paths are normalised and an id may be `..` or contain slashes.
    """
    batch_id = query.get("id", "")
    if not IDENTIFIER.fullmatch(batch_id):
        raise InvalidQuestion
    return batch_id


def to_fingerprint(query: QueryParams) -> str:
    """Return the failure group to show; the server validates it."""
    fingerprint = _value(query, "fingerprint")
    if not fingerprint:
        raise InvalidQuestion
    return fingerprint


def to_page_token(query: QueryParams) -> str:
    """Return the page token; empty for the first page."""
    return _value(query, "page")


def to_batch_filter(query: QueryParams) -> BatchFilter:
    """Return the filter of batches."""
    labels = query.getlist("label")
    state = _value(query, "state").upper()
    if state not in STATES or len(labels) > LABELS_MAX:
        raise InvalidQuestion
    pairs = tuple(sorted(_label(label) for label in labels))
    return BatchFilter(state, pairs, _value(query, "text").strip().casefold(), to_page_token(query))


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals or len(text) > CHARACTERS_MAX:
        raise InvalidQuestion
    return key, value


def _value(query: QueryParams, name: str) -> str:
    value = query.get(name, "")
    if len(value) > CHARACTERS_MAX:
        raise InvalidQuestion
    return value
