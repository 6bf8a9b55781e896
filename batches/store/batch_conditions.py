"""What a search requires of the row of a batch, as conditions in SQL."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal, or_, select

from batches import pace
from batches.batch import BatchState
from batches.clock import AHEAD_SECONDS_MAX
from batches.listing import BatchFilter
from batches.store import schema
from batches.store.column_types import UtcTime
from batches.store.sql_functions import database_now, seconds_between

ABOVE_ALL_ID_CHARACTERS = "\x7f"
"""Ids consist of printable ASCII, which ends one character below."""

_batch = schema.batches.c
_quiet_since = func.coalesce(_batch.last_result_time, _batch.create_time, type_=UtcTime())
_silent_seconds = seconds_between(_quiet_since, database_now())
_has_no_rate = or_(_batch.first_result_time.is_(None), _batch.results_per_second <= 0)


class Condition(Enum):
    """A condition."""

    STATE = "has the state"
    PREFIX = "has the prefix"
    FAILURES = "has failures"
    STALLED = "has stalled"
    CREATED_FROM = "was created at the time or later"
    CREATED_BEFORE = "was created before the time"


SQL: Mapping[Condition, ColumnElement[bool]] = {
    Condition.STATE: _batch.state == bindparam("state"),
    # LIKE is not used, since it gives a meaning to % and _, and ignores case in SQLite.
    Condition.PREFIX: and_(_batch.batch_id >= bindparam("prefix"), _batch.batch_id < bindparam("prefix_end")),
    Condition.FAILURES: _batch.failed_jobs > 0,
    # The rule of pace.has_stalled: a test compares the two.
    Condition.STALLED: and_(
        _batch.state == int(BatchState.PROCESSING),
        or_(
            _silent_seconds < -AHEAD_SECONDS_MAX,
            _silent_seconds >= pace.STALL_SECONDS_MAX,
            and_(
                _silent_seconds >= pace.STALL_SECONDS_MIN,
                or_(_has_no_rate, _silent_seconds * _batch.results_per_second >= pace.PACE_RESULTS),
            ),
        ),
    ),
    Condition.CREATED_FROM: _batch.create_time >= bindparam("created_from", type_=UtcTime()),
    Condition.CREATED_BEFORE: _batch.create_time < bindparam("created_before", type_=UtcTime()),
}


def conditions_of(selected: BatchFilter) -> frozenset[Condition]:
    """Return the conditions of a filter, labels aside."""
    holds = {
        Condition.STATE: selected.searched_state is not None,
        Condition.PREFIX: bool(selected.id_prefix),
        Condition.FAILURES: selected.with_failures,
        Condition.STALLED: selected.stalled,
        Condition.CREATED_FROM: selected.created_from is not None,
        Condition.CREATED_BEFORE: selected.created_before is not None,
    }
    return frozenset(condition for condition, is_asked in holds.items() if is_asked)


def in_state(query: Select[int]) -> Select[int]:
    """Select the batches in a state along the index that has their order.

    MySQL would rather read the whole of another index that begins with the state.
    """
    return query.where(SQL[Condition.STATE]).with_hint(
        schema.batches, "FORCE INDEX (batches_by_state)", "mysql"
    )


def parameters_of(selected: BatchFilter) -> dict[str, Any]:
    """Return the parameters of all conditions of a filter."""
    state = selected.searched_state
    return {
        "prefix": selected.id_prefix,
        "prefix_end": selected.id_prefix + ABOVE_ALL_ID_CHARACTERS,
        **({} if state is None else {"state": int(state)}),
        **({} if selected.created_from is None else {"created_from": selected.created_from}),
        **({} if selected.created_before is None else {"created_before": selected.created_before}),
    }


def meets(key: ColumnElement[int], conditions: frozenset[Condition]) -> ColumnElement[bool]:
    """Return whether the batch with a key meets all conditions.

    It is a lookup of one row, written as a subquery with one value. Databases reorder joins and EXISTS, and
    would sometimes begin with all batches that meet one of the conditions.
    """
    required = (SQL[condition] for condition in sorted(conditions, key=lambda one: one.name))
    row = select(literal(1)).where(_batch.batch_key == key, *required)
    return row.scalar_subquery() == 1


def label_bytes(key: ColumnElement[int]) -> ColumnElement[int]:
    """Return the size of the labels of the batch with a key."""
    return select(func.length(_batch.labels)).where(_batch.batch_key == key).scalar_subquery()
