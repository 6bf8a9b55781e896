"""Compares our server with usual counters: Redis HINCRBY, a set and a counter in Redis, UPDATE n = n + 1."""

from contextlib import AsyncExitStack

from bench.load.workload import MANY, UNARY
from bench.measure.run import OURS, Run
from bench.report.results import Row, compare_speed


async def measure_row(run: Run) -> list[Row]:
    """Measure all contestants with one result per call, then with 500."""
    async with AsyncExitStack() as stack:
        contestants = [
            await stack.enter_async_context(one)
            for one in (
                run.ours(),
                run.redis_peer("Redis HINCRBY", "redis_hincrby"),
                run.redis_peer("Redis set + counter (Lua)", "redis_lua"),
                run.mysql_peer("UPDATE n = n + 1", "atomic_update"),
            )
        ]
        unary = await run.take_turns(dict.fromkeys(contestants, UNARY))
        many = await run.take_turns(dict.fromkeys(contestants, MANY))
    rows = [
        Row("Unary, 1,037 workers, one batch", unary),
        Row("500 results per call, 16 callers, one batch", many),
    ]
    for row in rows:
        for name, theirs in row.measurements.items():
            if name != OURS:
                row.comparisons += compare_speed(row.measurements[OURS], theirs)
    return rows
