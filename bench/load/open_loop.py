"""python -m bench.load.open_loop: a timed process that reports at a fixed rate, answered or not.

The latency of a call counts from the moment when it was due, so that neither generator nor server can hide
that it falls behind. A refused call is counted and not sent again; it must be RESOURCE_EXHAUSTED and carry
a retry delay, or CANCELLED: more calls waited than the server's transport keeps.
"""

import asyncio
import gc
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bench.load.reporters import Request, recorded_in, report_methods, report_of
from bench.load.timed import Outcome, Window, outlast, read_plan, wait_for_window, write_outcome


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """What the process sends, and where."""

    target: str
    batch_id: str
    calls: int
    """The number of calls; all requests are created before the window starts."""
    calls_per_second: float
    connections: int
    results_per_call: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOutcome(Outcome):
    """The outcome of the calls; latencies are those of the calls that were answered in the window."""

    refused: int
    """Calls that were refused in the window."""
    late_ms: float
    """The longest time from when a call was due until it was sent: the delay of the generator."""
    last_answer: float
    """When the last call was answered, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A call and its answer."""

    due: float
    began: float
    ended: float
    payload: bytes | None
    """The answer; None if the call was refused."""


def main() -> None:
    """Send all calls, wait for every answer, and print the outcome."""
    gc.disable()  # all objects are kept until the end anyway
    write_outcome(asyncio.run(_run(OpenPlan(**read_plan()))))


async def _run(plan: OpenPlan) -> OpenOutcome:
    async with AsyncExitStack() as stack:
        calls = await report_methods(stack, [plan.target], plan.connections, plan.results_per_call)
        requests = [
            report_of(plan.batch_id, "job", number, plan.results_per_call) for number in range(plan.calls)
        ]
        window = await wait_for_window()
        sending = []
        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests):
                due = window.start + number / plan.calls_per_second
                # Sleep also for 0 s, which lets answers be read.
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sending.append(group.create_task(_send(calls[number % len(calls)], request, due)))
        await outlast(window)
        return _outcome(plan, window, [task.result() for task in sending])


async def _send(call: Any, request: Request, due: float) -> _Sent:
    began, payload = time.monotonic(), None
    try:
        payload = await call(request.payload)
    except grpc.aio.AioRpcError as error:
        _require_polite(error)
    return _Sent(due, began, time.monotonic(), payload)


def _require_polite(error: grpc.aio.AioRpcError) -> None:
    """Raise unless the error is CANCELLED, or RESOURCE_EXHAUSTED with a retry delay."""
    if error.code() is grpc.StatusCode.CANCELLED:
        return
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has the parts of a call that are read
    details = status.details if status is not None else []
    names_a_delay = any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)
    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or not names_a_delay:
        raise RuntimeError(f"overload was answered with {error.code()}: {error.details()}")


def _outcome(plan: OpenPlan, window: Window, sent: Sequence[_Sent]) -> OpenOutcome:
    answered = [one for one in sent if one.payload is not None]
    measured = [one for one in answered if window.begin <= one.ended < window.end]
    return OpenOutcome(
        calls=len(measured),
        results=len(measured) * plan.results_per_call,
        latencies_ms=[round((one.ended - one.due) * 1_000, 2) for one in measured],
        jobs={plan.batch_id: len(answered) * plan.results_per_call},
        sent=len(answered) * plan.results_per_call,
        recorded=sum(recorded_in(one.payload or b"", plan.results_per_call) for one in answered),
        refused=sum(one.payload is None and window.begin <= one.ended < window.end for one in sent),
        late_ms=max((one.began - one.due) * 1_000 for one in sent),
        last_answer=max(one.ended for one in answered),
    )


if __name__ == "__main__":
    main()
