"""Which rows Celery's table of groups gets for a batch."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery

from batchprogress.integrations.celery_tables import TASKS_PER_ROW_MAX, GroupTable

DAY = timedelta(days=1)


@pytest.fixture
def app(tmp_path: Path) -> Celery:
    """Return an app whose result backend is an SQLite file."""
    return Celery("unit", broker="memory://", backend=f"db+sqlite:///{tmp_path}/results.db")


def rows_of(app: Celery) -> dict[str, datetime]:
    """Return the moment from which each row of the table expires."""
    row = app.backend.taskset_cls
    with app.backend.ResultSession() as session:
        return dict(session.query(row.taskset_id, row.date_done).all())


def test_the_row_that_marks_a_batch_with_parts_expires_before_every_part(app: Celery) -> None:
    """A batch whose parts have begun to expire is unknown, not shorter."""
    table = GroupTable(app)
    for part in ("1", "2", "2"):
        table.save_part("b", part, ["x", "y"])
    rows = rows_of(app)
    mark = rows.pop("b")
    assert len(rows) == 2
    assert all(expires_from - mark > DAY / 2 for expires_from in rows.values())


def test_a_batch_of_many_tasks_has_a_row_for_each_thousand(app: Celery) -> None:
    """All rows expire at one moment, and saving them again changes nothing."""
    ids = [str(number) for number in range(2 * TASKS_PER_ROW_MAX + 1)]
    for _ in range(2):
        GroupTable(app).save_all("b", ids)
    rows = rows_of(app)
    assert sorted(rows) == ["b", "b run 1", "b run 2"]
    assert len(set(rows.values())) == 1
