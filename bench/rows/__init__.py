"""The rows of the benchmark: one file per row, or a folder if it needs helpers.

To add a row, write a file with `measure_row` and add it to ROWS.
"""

from collections.abc import Awaitable, Callable

from bench.measure.run import Run
from bench.report.results import Row
from bench.rows import (
    counters,
    duplicates,
    empty_handler,
    insert_alone,
    memory,
    processes,
    reconciler,
    row_lock,
    sqlite,
    table_size,
    workers,
)
from bench.rows.celery import row as celery
from bench.rows.http_cost import row as http_cost
from bench.rows.overload import row as overload
from bench.rows.report_cost import row as report_cost
from bench.rows.watch import row as watch

ROWS: dict[str, Callable[[Run], Awaitable[list[Row]]]] = {
    "row-lock": row_lock.measure_row,
    "empty-handler": empty_handler.measure_row,
    "insert-alone": insert_alone.measure_row,
    "sqlite": sqlite.measure_row,
    "counters": counters.measure_row,
    "duplicates": duplicates.measure_row,
    "processes": processes.measure_row,
    "workers": workers.measure_row,
    "watch": watch.measure_row,
    "table-size": table_size.measure_row,
    "memory": memory.measure_row,
    "reconciler": reconciler.measure_row,
    "report-cost": report_cost.measure_row,
    "http-cost": http_cost.measure_row,
    "celery": celery.measure_row,
    "overload": overload.measure_row,
}

STABLE: dict[str, tuple[str, ...]] = {
    "report-cost": ("µs per call, p50",),
    "empty-handler": ("server CPU per result, µs",),
    "insert-alone": ("server + store CPU per row, µs",),
    "row-lock": ("server CPU per result, µs",),
}
"""The comparisons that `--check` makes, by row, in its order: quotients of CPU times of two processes that
took turns. Other work on the machine moves rates and latencies by more than a third: they are left out."""
