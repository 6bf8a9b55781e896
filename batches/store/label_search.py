"""Searches batches by their labels, newest first, in a bounded number of rows a page.

The index of batch_labels contains the batches of each label by key, and an index of batches those of each
state. A page begins with the rarest of them and looks its batches up in the others. A page that finds too few
in the rows that it may search is short, and the next page goes on there.
"""

from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select

from batches.listing import BatchFilter
from batches.store import schema
from batches.store.batch_conditions import (
    SQL,
    Condition,
    conditions_of,
    in_state,
    label_bytes,
    meets,
    parameters_of,
)
from batches.store.connections import AsyncConnection
from batches.store.key_range import KeyRange, last_key_of

SEARCHED_MAX = 500
"""Batches of a label or state that a page searches: below a millisecond of the database's time for each
label. Then no page takes more than twice as long as in a database with a few hundred batches."""
SEARCHED_WITH_PREFIX_MAX = 2_000
"""Batches with a prefix that a page searches, after it has sorted all of them: 25 ms for 100,000. So it
searches more than it otherwise would, for some 5 ms."""
STATEMENTS_MAX = 64
"""Statements that are kept: one for each number of labels. Building that of 32 labels takes milliseconds."""

MeasuredKey = tuple[int, int]
"""The key of a batch, and the size of its labels in bytes."""
_Label = tuple[str, str]
_Parameters = dict[str, Any]


class _Source(Enum):
    """The batches that a page searches."""

    LABEL = "those with the rarest label"
    STATE = "those in the state"
    PREFIX = "those with the prefix"


async def search_labels(
    connection: AsyncConnection, selected: BatchFilter, keys: KeyRange, size: int, *, sorts_prefix: bool
) -> tuple[list[MeasuredKey], int | None]:
    """Find batches that have labels, newest first.

    Args:
        connection: The connection to read with.
        selected: The batches to find, by at least one label.
        keys: Only batches with these keys.
        size: The maximum number of batches to find.
        sorts_prefix: Whether all batches with the prefix may be sorted.

    Returns:
        The batches, and the key below which no batch was searched; None if enough were found or all were
        searched.

    """
    parameters = _parameters(selected, keys, size)
    source, labels, last_key = await _choose(connection, selected, parameters, sorts_prefix=sorts_prefix)
    for number, label in enumerate(labels):
        parameters |= _named(label, number)
    statement = _statement(source, len(labels), conditions_of(selected))
    rows = await connection.execute(statement, {**parameters, "last_key": last_key or keys.begin})
    found = [(key, size) for key, size in rows]
    if len(found) == size:
        return found, None
    if source is _Source.PREFIX:
        last_key = await connection.scalar(_LAST_WITH_PREFIX, parameters)
    return found, last_key


async def _choose(
    connection: AsyncConnection, selected: BatchFilter, parameters: _Parameters, *, sorts_prefix: bool
) -> tuple[_Source, list[_Label], int | None]:
    """Return what to search, the labels from the rarest on, and the last key to search; None for all keys.

    With a prefix, a label or state is searched only if that can be done to the end. Otherwise the length of a
    page would tell a caller about the batches of others.
    """
    sampled = {**parameters, "before_last": SEARCHED_MAX // (len(selected.labels) + 1)}
    samples = {
        label: await connection.scalar(_LAST_WITH_LABEL, {**sampled, **_named(label, 0)}) or 0
        for label in selected.labels.items()
    }
    labels = sorted(samples, key=lambda label: samples[label])
    source, last, rarest = _Source.LABEL, _LAST_WITH_LABEL, samples[labels[0]]
    if rarest and selected.searched_state is not None:
        in_state = await connection.scalar(_LAST_IN_STATE, sampled) or 0
        if in_state < rarest:
            source, last, rarest = _Source.STATE, _LAST_IN_STATE, in_state
    if not rarest:
        return source, labels, None
    last_key = await connection.scalar(last, {**parameters, **_named(labels[0], 0)})
    if last_key is not None and sorts_prefix:
        return _Source.PREFIX, labels, None
    return source, labels, last_key


def _parameters(selected: BatchFilter, keys: KeyRange, size: int) -> _Parameters:
    return {
        "before_key": keys.end,
        "last_key": keys.begin,
        "before_last": SEARCHED_MAX - 1,
        "searched_with_prefix": SEARCHED_WITH_PREFIX_MAX,
        "before_last_with_prefix": SEARCHED_WITH_PREFIX_MAX - 1,
        "size": size,
        **parameters_of(selected),
    }


def _named(label: _Label, number: int) -> _Parameters:
    name, value = label
    spelling = value.encode().hex().upper()
    return {f"name_{number}": name, f"value_{number}": value, f"spelling_{number}": spelling}


_batch = schema.batches.c
_label = schema.batch_labels.c


def _has_label(number: int) -> ColumnElement[bool]:
    return and_(
        _label.label_key == bindparam(f"name_{number}"), _label.label_value == bindparam(f"value_{number}")
    )


def _in_range(key: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(key < bindparam("before_key"), key >= bindparam("last_key"))


_WITH_LABEL = select(_label.batch_key).where(_has_label(0), _in_range(_label.batch_key))
_IN_STATE = in_state(select(_batch.batch_key)).where(_in_range(_batch.batch_key))
# By the plain key, databases would walk all batches, not those with the prefix (batches.store.listings).
_plain_number = _batch.batch_key + 0
_WITH_PREFIX = (
    select(_batch.batch_key)
    .where(SQL[Condition.PREFIX], _in_range(_plain_number))
    .order_by(_plain_number.desc())
)
_SEARCHED = {
    _Source.LABEL: _WITH_LABEL,
    _Source.STATE: _IN_STATE,
    _Source.PREFIX: _WITH_PREFIX.limit(bindparam("searched_with_prefix")),
}
_LAST_WITH_LABEL = last_key_of(_WITH_LABEL.order_by(_label.batch_key.desc()), bindparam("before_last"))
_LAST_IN_STATE = last_key_of(_IN_STATE.order_by(_batch.batch_key.desc()), bindparam("before_last"))
_LAST_WITH_PREFIX = last_key_of(_WITH_PREFIX, bindparam("before_last_with_prefix"))


@lru_cache(STATEMENTS_MAX)
def _statement(source: _Source, labels: int, conditions: frozenset[Condition]) -> Select[int, int]:
    """Build the search for batches of the source that have all labels and meet all conditions.

    Each label is a lookup of one row, as `meets` is.
    """
    key = _SEARCHED[source].subquery().c.batch_key
    spellings = [_spelling(number, key) == bindparam(f"spelling_{number}") for number in range(labels)]
    query = select(key, label_bytes(key)).where(*spellings, meets(key, conditions))
    return query.order_by(key.desc()).limit(bindparam("size"))


def _spelling(number: int, key: ColumnElement[int]) -> ColumnElement[str]:
    """Select the bytes of a label's value: in MySQL's collations, `a` equals `a ` with a trailing space."""
    spelling = select(func.hex(_label.label_value)).where(_has_label(number), _label.batch_key == key)
    return spelling.scalar_subquery()
