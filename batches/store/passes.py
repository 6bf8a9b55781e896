"""Keeps the reconciler's passes: when each ran and what it did, and whether one runs at all."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, update

from batches.clock import ClockJump, PassTime, next_pass_time
from batches.listing import Page
from batches.passes import KEPT_PASSES_MAX, BegunPass, Pass, PassKind, PassNumbers
from batches.store import schema
from batches.store.column_types import UtcTime
from batches.store.connections import AsyncConnection
from batches.store.listings import page_of
from batches.store.sql_functions import database_now

_passes = schema.passes.c


async def begin_pass(
    connection: AsyncConnection, kind: PassKind, retention_seconds: float, *, trusts_clock: bool
) -> BegunPass:
    """Note that a pass begins, and delete the oldest one of its kind."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    previous = None if trusts_clock else await _last_time(connection)
    time = next_pass_time(now, previous, retention_seconds)
    jump = time.jump
    inserted = await connection.execute(
        insert(schema.passes).values(
            start_time=now,
            clock_jump_seconds=None if jump is None else jump.seconds,
            clock_jump_time=None if jump is None else jump.time,
            **asdict(kind),
        )
    )
    (key,) = inserted.inserted_primary_key or (None,)
    assert isinstance(key, int)  # noqa: S101  # every engine returns a generated key
    await _delete_oldest(connection, manual=kind.manual)
    return BegunPass(key, time)


async def end_pass(connection: AsyncConnection, begun: BegunPass, numbers: PassNumbers) -> None:
    """Note that a pass has ended, and what it did."""
    now: datetime = (await connection.execute(select(database_now()))).scalar_one()
    values = {**asdict(numbers), "cut_short": numbers.cut_short[: schema.REASON_CHARACTERS_MAX]}
    await connection.execute(
        update(schema.passes).where(_passes.pass_key == begun.pass_key).values(end_time=now, **values)
    )


async def read_last_pass_time(connection: AsyncConnection) -> datetime | None:
    """Return when the newest pass over all batches ended, or began if it has not ended; None without one."""
    newest = select(func.coalesce(_passes.end_time, _passes.start_time, type_=UtcTime()))
    return await _newest(connection, newest)


async def read_last_end_time(connection: AsyncConnection) -> datetime | None:
    """Return when the newest pass over all batches that has ended did so; None without one."""
    return await _newest(connection, select(_passes.end_time).where(_passes.end_time.is_not(None)))


async def list_passes(connection: AsyncConnection, *, before_key: int | None, size: int) -> Page[Pass, int]:
    """Return a page of the passes, newest first."""
    query = select(schema.passes).order_by(_passes.pass_key.desc()).limit(size + 1)
    if before_key is not None:
        query = query.where(_passes.pass_key < before_key)
    found = [_to_pass(row) for row in await connection.execute(query)]
    return page_of(found, [one.pass_key for one in found], size)


async def read_clock_jump_seconds(connection: AsyncConnection) -> float:
    """Return how far the clock had jumped ahead when the newest pass began; 0 if it had not."""
    last = await _last_time(connection)
    return last.jump.seconds if last is not None and last.jump is not None else 0.0


async def _last_time(connection: AsyncConnection) -> PassTime | None:
    """Return the time of the newest pass, of any kind: each tells what the clock was."""
    query = select(schema.passes).order_by(_passes.pass_key.desc()).limit(1)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    if row.clock_jump_seconds is None or row.clock_jump_time is None:
        return PassTime(row.start_time)
    return PassTime(row.start_time, ClockJump(row.clock_jump_seconds, row.clock_jump_time))


async def _newest(connection: AsyncConnection, query: Any) -> datetime | None:
    over_all = query.where(_is_not(_passes.one_batch))
    found: datetime | None = await connection.scalar(over_all.order_by(_passes.pass_key.desc()).limit(1))
    return found


async def _delete_oldest(connection: AsyncConnection, *, manual: bool) -> None:
    of_kind = _passes.manual.is_(True) if manual else _is_not(_passes.manual)
    newest = select(_passes.pass_key).where(of_kind).order_by(_passes.pass_key.desc())
    oldest_key = await connection.scalar(newest.offset(KEPT_PASSES_MAX).limit(1))
    if oldest_key is not None:
        await connection.execute(delete(schema.passes).where(of_kind, _passes.pass_key <= oldest_key))


def _is_not(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a mark is not set; rows of reconcilers before schema 0007 have none."""
    return or_(column.is_(None), column.is_(False))


def _to_pass(row: Row[Any]) -> Pass:
    return Pass(
        pass_key=row.pass_key,
        start_time=row.start_time,
        end_time=row.end_time,
        manual=bool(row.manual),
        numbers=PassNumbers(
            batches_looked_at=row.batches_looked_at or 0,
            batches_repaired=row.batches_repaired or 0,
            batches_left=row.batches_left or {},
            errors=row.errors or 0,
            cut_short=row.cut_short or "",
        ),
    )
