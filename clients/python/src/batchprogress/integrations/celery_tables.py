"""Saves which tasks a batch has in the table of groups that Celery keeps in a database.

    run   <batch_id>                   its first thousand tasks
          <batch_id> run <n>           each further thousand
    add   <batch_id>                   no task: marks a batch that has parts
          <batch_id> add <part> <n>    each thousand tasks of a part
    run   on_completed <batch_id>      the task to send when the batch has completed

Each call is one transaction, and its rows expire together. Parts are added concurrently, by programs and by
tasks, so each has its own rows: a shared list that is read and written back would lose some.

The job-status source treats a batch without its own row as unknown. `add` writes that row before any part,
lets it expire before any part, and never writes it again while a part exists: while it exists, no part is
missing.
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
"""About 56 bytes each: the BLOB of MySQL that Celery uses ends at 65,535."""
PARTS_KEPT = timedelta(seconds=JOB_IDS_SECONDS)
"""How long parts are kept beyond `result_expires`, as in Redis."""
MARK_KEPT = PARTS_KEPT - timedelta(days=1)
"""How long the row that marks a batch with parts is kept: a day less, since clocks of machines differ."""
CALLBACK = "on_completed "
"""What precedes the id of a batch in the id of the row with its task; ids of batches have no space."""

_log = logging.getLogger("batchprogress")


class GroupTable:
    """The table of groups of an app whose result backend is a database.

    Nothing is opened before a call or stays open after it.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._backend = app.backend
        self._row = app.backend.taskset_cls

    def save_all(self, batch_id: str, task_ids: Sequence[str]) -> None:
        """Save the tasks of a sealed batch."""
        first, *others = _portions(task_ids)
        numbered = {f"{batch_id} run {number}": some for number, some in enumerate(others, 1)}
        self._save({batch_id: first, **numbered}, timedelta(0))

    def save_part(self, batch_id: str, part: str, task_ids: Sequence[str]) -> None:
        """Save the tasks of a part of a batch."""
        parts = f"{batch_id} add "
        if not self._has(batch_id):
            if not self._has_any(parts):
                self._save({batch_id: ()}, MARK_KEPT)
            elif not self._has(batch_id):  # and no other program has just added the first part
                _log.warning("the reconciler cannot repair batch %s any more: it has expired", batch_id)
        rows = f"{parts}{uuid5(NAMESPACE_URL, part).hex[:16]}"  # the column holds 155 characters
        numbered = {f"{rows} {number}": some for number, some in enumerate(_portions(task_ids))}
        self._save(numbered, PARTS_KEPT)

    def save_callback(self, batch_id: str, callback: Mapping[str, Any]) -> None:
        """Save the task that is sent when a batch has completed, instead of an earlier one."""
        row = self._row(f"{CALLBACK}{batch_id}", self._encoded(callback))
        row.date_done = datetime.now(UTC) + PARTS_KEPT
        with self._backend.ResultSession() as session:
            session.query(self._row).filter(self._row.taskset_id == row.taskset_id).delete()
            session.add(row)
            session.commit()

    def callback_of(self, batch_id: str) -> Mapping[str, Any] | None:
        """Return the task that was saved for a batch, or None."""
        with self._backend.ResultSession() as session:
            row = session.query(self._row).filter(self._row.taskset_id == f"{CALLBACK}{batch_id}").first()
        return None if row is None else self._backend.decode(row.result)

    def _save(self, groups: Mapping[str, Sequence[str]], kept: timedelta) -> None:
        """Save all of the groups or none, unless an earlier or a concurrent call has saved them."""
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
                    session.flush()  # one at a time: MySQL bounds a statement
                session.commit()
        except Exception:
            if not self._has(first):
                raise

    def _value(self, group_id: str, task_ids: Sequence[str]) -> bytes:
        """Return a group as Celery stores it."""
        group = GroupResult(group_id, [self._app.AsyncResult(task_id) for task_id in task_ids])
        return self._encoded(self._backend.prepare_value(group))

    def _encoded(self, value: Any) -> bytes:
        encoded: str | bytes = self._backend.encode(value)
        return encoded.encode() if isinstance(encoded, str) else encoded

    def _has(self, group_id: str) -> bool:
        # Compared here too: the collation of the column may ignore case.
        return group_id in self._ids(self._row.taskset_id == group_id)

    def _has_any(self, beginning: str) -> bool:
        found = self._ids(self._row.taskset_id.startswith(beginning, autoescape=True))
        return any(one.startswith(beginning) for one in found)

    def _ids(self, condition: Any) -> list[str]:
        with self._backend.ResultSession() as session:
            return [one for (one,) in session.query(self._row.taskset_id).filter(condition)]


def _portions(task_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the tasks of each row; without tasks there is one empty row."""
    for begin in range(0, max(1, len(task_ids)), TASKS_PER_ROW_MAX):
        yield task_ids[begin : begin + TASKS_PER_ROW_MAX]
