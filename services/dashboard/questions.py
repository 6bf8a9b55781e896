"""Reading what a page asks for out of a query string; InvalidQuestion if it is no such thing."""

from starlette.datastructures import QueryParams

from services.dashboard.errors import InvalidQuestion
from services.dashboard.listing import BatchFilter, Errors

STATES = ("", "PROCESSING", "COMPLETED", "CANCELLED")
CHARACTERS_MAX = 2_000
"""Of any one value: beyond every limit of the contract, and of the page's own search box."""
LABELS_MAX = 32
"""The contract's."""


def to_batch_id(query: QueryParams) -> str:
    """Return the id of the batch; the server checks the rest of it.

    In the query, not in the path: an id may be `..`, or hold slashes, which paths are normalised by.
    """
    batch_id = _value(query, "id")
    if not batch_id:
        raise InvalidQuestion
    return batch_id


def to_errors(query: QueryParams) -> Errors:
    """Return which errors are asked for."""
    return Errors(_value(query, "error_type"), _value(query, "template"))


def to_page_token(query: QueryParams) -> str:
    """Return the token of a page; empty is the first."""
    return _value(query, "page")


def to_batch_filter(query: QueryParams) -> BatchFilter:
    """Return which batches are asked for."""
    labels = query.getlist("label")
    state = _value(query, "state").upper()
    if state not in STATES or len(labels) > LABELS_MAX:
        raise InvalidQuestion
    pairs = tuple(sorted(_label(label) for label in labels))
    return BatchFilter(state, pairs, _value(query, "text").strip(), to_page_token(query))


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
