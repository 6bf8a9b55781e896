"""A batch as server-sent events.

`history` is sent once, before the first `state`. `problem` says why the shown state may be out of
date; the next `state` clears it. `unknown` says that there is no such batch. After `unknown` or the
end of the batch a page does not reconnect.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing

from sse_starlette.event import ServerSentEvent

from services.dashboard.errors import BatchUnknown, DashboardError, TooMany
from services.dashboard.states import Point
from services.dashboard.topic import View


async def to_events(
    views: AsyncGenerator[tuple[View, list[Point]], None],
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of each view; a viewer beyond the limit gets a `problem` and reconnects later."""
    try:
        async with aclosing(views):
            async for view, points in views:
                for event in _events(view, points):
                    yield event
    except TooMany as problem:
        yield _problem(problem)


def _events(view: View, points: list[Point]) -> Iterator[ServerSentEvent]:
    if points:
        yield _event("history", json.dumps([point.to_json() for point in points]))
    if view.state is not None and (points or view.problem is None):
        yield _event("state", view.state.json)
    if view.problem is not None:
        yield _problem(view.problem)


def _problem(problem: DashboardError) -> ServerSentEvent:
    name = "unknown" if isinstance(problem, BatchUnknown) else "problem"
    return _event(name, json.dumps({"message": str(problem)}))


def _event(name: str, data: str) -> ServerSentEvent:
    return ServerSentEvent(data=data, event=name, sep="\n")
