"""The rows of the benchmark: one file each, whose one public function measures it.

To add a row: write its file, and name it here.
"""

from collections.abc import Awaitable, Callable

from bench.results import Row
from bench.rows import (
    celery_group,
    counters,
    duplicates,
    empty_handler,
    insert_alone,
    memory,
    overload,
    processes,
    reconciler,
    report_cost,
    row_lock,
    table_size,
    watch,
    workers,
)
from bench.run import Run

ROWS: dict[str, Callable[[Run], Awaitable[list[Row]]]] = {
    "row-lock": row_lock.measure_row,
    "empty-handler": empty_handler.measure_row,
    "insert-alone": insert_alone.measure_row,
    "counters": counters.measure_row,
    "duplicates": duplicates.measure_row,
    "processes": processes.measure_row,
    "workers": workers.measure_row,
    "watch": watch.measure_row,
    "table-size": table_size.measure_row,
    "memory": memory.measure_row,
    "reconciler": reconciler.measure_row,
    "report-cost": report_cost.measure_row,
    "celery": celery_group.measure_row,
    "overload": overload.measure_row,
}
