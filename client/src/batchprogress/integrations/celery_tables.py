"""Which tasks a batch has, in the table of groups that Celery keeps in a database.

    run   <batch_id>                   its first thousand tasks
          <batch_id> run <n>           each further thousand
    add   <batch_id>                   no task: the batch has parts
          <batch_id> add <part> <n>    each thousand tasks of a part

What is saved together is one transaction, and expires at one moment. Parts are added at the same time, by
programs and by tasks, so each has rows of its own: a list that is read and written again would lose some.

A source takes a batch without its own row as unknown. In `add` that row comes before any part, expires before
any part, and is never made again while a part is there: for as long as it is there no part is missing.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from celery import Celery
from celery.result import GroupResult

from batchprogress.integrations.job_ids import JOB_IDS_SECONDS

TASKS_PER_ROW_MAX = 1_000
"""Some 56 bytes each: MySQL's BLOB, which Celery takes, ends at 65,535."""
PARTS_KEPT = timedelta(seconds=JOB_IDS_SECONDS)
"""Beyond `result_expires`, as in Redis."""
PARTED_KEPT = PARTS_KEPT - timedelta(days=1)
"""Of the row that says that there are parts: a day less than these, since clocks of machines differ."""

_log = logging.getLogger("batchprogress")


class GroupTable:
    """The table of groups of an app whose result backend is a database."""

    def __init__(self, app: Celery) -> None:
        """Take the app; nothing is opened before a call, or stays open after it."""
        self._app = app
        self._backend = app.backend
        self._row = app.backend.taskset_cls

    def save_all(self, batch_id: str, task_ids: Sequence[str]) -> None:
        """Save the tasks of a batch that gets no more."""
        first, *others = _portions(task_ids)
        numbered = {f"{batch_id} run {number}": some for number, some in enumerate(others, 1)}
        self._save({batch_id: first, **numbered}, timedelta(0))

    def save_part(self, batch_id: str, part: str, task_ids: Sequence[str]) -> None:
        """Save the tasks of a part of a batch."""
        parts = f"{batch_id} add "
        if not self._has(batch_id):
            if not self._has_any(parts):
                self._save({batch_id: ()}, PARTED_KEPT)
            elif not self._has(batch_id):  # nor has another program just begun it
                _log.warning("batch %s is not known to the reconciler any more: it has expired", batch_id)
        rows = f"{parts}{uuid5(NAMESPACE_URL, part).hex[:16]}"  # Celery has room for 155 characters
        numbered = {f"{rows} {number}": some for number, some in enumerate(_portions(task_ids))}
        self._save(numbered, PARTS_KEPT)

    def _save(self, groups: Mapping[str, Sequence[str]], kept: timedelta) -> None:
        """Save all of these groups or none, unless they are there: by an earlier call, or one at once."""
        first = next(iter(groups))
        if self._has(first):
            return
        expires_from = datetime.now(UTC) + kept
        try:
            with self._backend.ResultSession() as session:
                for group_id, task_ids in groups.items():
                    row = self._row(group_id, self._value(group_id, task_ids))
                    row.date_done = expires_from
                    session.add(row)
                    session.flush()  # one at a time: MySQL bounds what it takes at once
                session.commit()
        except Exception:
            if not self._has(first):
                raise

    def _value(self, group_id: str, task_ids: Sequence[str]) -> bytes:
        """Return a group as Celery writes it."""
        group = GroupResult(group_id, [self._app.AsyncResult(task_id) for task_id in task_ids])
        value: str | bytes = self._backend.encode(self._backend.prepare_value(group))
        return value.encode() if isinstance(value, str) else value

    def _has(self, group_id: str) -> bool:
        # By the exact id, whatever the column's collation finds besides.
        return group_id in self._ids(self._row.taskset_id == group_id)

    def _has_any(self, beginning: str) -> bool:
        found = self._ids(self._row.taskset_id.startswith(beginning, autoescape=True))
        return any(one.startswith(beginning) for one in found)

    def _ids(self, condition: Any) -> list[str]:
        with self._backend.ResultSession() as session:
            return [one for (one,) in session.query(self._row.taskset_id).filter(condition)]


def _portions(task_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield what goes into one row at a time; no tasks are a row too."""
    for begin in range(0, max(1, len(task_ids)), TASKS_PER_ROW_MAX):
        yield task_ids[begin : begin + TASKS_PER_ROW_MAX]
