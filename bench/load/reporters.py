"""python -m bench.load.reporters: a timed process of workers that report results to a server.

Each worker sends its next report when the last one is answered. Requests are built before and
answers are parsed after the calls, which carry bytes: the load generator costs as little as Python
allows, and its cost is measured and shown.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any, cast

import grpc

from batchprogress.v1 import progress_pb2 as pb
from bench.load.timed import Outcome, Window, read_plan, wait_for_window, write_outcome

SERVICE = pb.DESCRIPTOR.services_by_name["ProgressService"].full_name
CONNECT_SECONDS_MAX = 10
CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection per channel, as separate processes have
    ("grpc.max_receive_message_length", 16 * 2**20),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process sends, and where."""

    targets: list[str]
    batch_ids: list[str]
    name: str
    """The prefix of its job ids, which no other process has."""
    workers: int
    connections: int
    results_per_call: int
    copies: int
    """1, or 2 to send each result twice: alternately at the same time by another worker, or right after."""
    prepared_calls: int
    """Requests made before the window starts; further ones are made when they are needed."""


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of a call, and the batch that it reports to."""

    payload: bytes
    batch_id: str


Errand = Sequence[Request]
"""Requests that one worker sends one after the other."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that was answered."""

    request: Request
    began: float
    ended: float
    payload: bytes


def main() -> None:
    """Report until the window ends, and print the outcome."""
    gc.disable()  # all objects are kept until the end anyway
    write_outcome(asyncio.run(_run(Plan(**read_plan()))))


async def _run(plan: Plan) -> Outcome:
    async with AsyncExitStack() as stack:
        calls = await report_methods(stack, plan.targets, plan.connections, plan.results_per_call)
        errands = _errands(plan)
        errands = chain(list(islice(errands, plan.prepared_calls)), errands)
        window = await wait_for_window()
        answers: list[Answer] = []
        await asyncio.gather(
            *(
                _work(calls[number % len(calls)], errands, window.end, answers)
                for number in range(plan.workers)
            )
        )
        return _outcome(plan, window, answers)


async def report_methods(
    stack: AsyncExitStack, targets: Sequence[str], connections: int, results_per_call: int
) -> list[Any]:
    """Open connections to the servers in turn; return for each a method that takes and returns bytes."""
    channels = [await connect(stack, targets[number % len(targets)]) for number in range(connections)]
    method = "ReportJobResult" if results_per_call == 1 else "ReportJobResults"
    # Without serializers bytes pass as they are; the type stubs do not know.
    return [cast("Any", channel.unary_unary)(f"/{SERVICE}/{method}") for channel in channels]


async def connect(stack: AsyncExitStack, target: str) -> grpc.aio.Channel:
    """Open a connection to a server."""
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS))
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        await channel.channel_ready()
    return channel


async def _work(
    call: Any,
    errands: Iterator[Errand],
    end: float,
    answers: list[Answer],
) -> None:
    clock = time.monotonic
    while (began := clock()) < end:
        for request in next(errands):
            payload = await call(request.payload)
            ended = clock()
            answers.append(Answer(request, began, ended, payload))
            began = ended


def _errands(plan: Plan) -> Iterator[Errand]:
    for number in count():
        batch_id = plan.batch_ids[number % len(plan.batch_ids)]
        request = report_of(batch_id, plan.name, number, plan.results_per_call)
        if plan.copies == 1:
            yield [request]
        elif number % 2:
            yield [request, request]  # the second right after the first
        else:
            yield from ([request], [request])  # the second by the next free worker


def report_of(batch_id: str, name: str, number: int, results_per_call: int) -> Request:
    """Return the request with this number."""
    first = number * results_per_call
    results = [
        pb.ReportJobResultRequest(batch_id=batch_id, job_id=f"{name}-{job}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
        for job in range(first, first + results_per_call)
    ]
    message = results[0] if results_per_call == 1 else pb.ReportJobResultsRequest(results=results)
    return Request(message.SerializeToString(), batch_id)


def _outcome(plan: Plan, window: Window, answers: Sequence[Answer]) -> Outcome:
    measured = [answer for answer in answers if window.begin <= answer.ended < window.end]
    requests = {id(answer.request): answer.request for answer in answers}
    calls_by_batch = Counter(request.batch_id for request in requests.values())
    return Outcome(
        calls=len(measured),
        results=len(measured) * plan.results_per_call,
        latencies_ms=[round((answer.ended - answer.began) * 1_000, 2) for answer in measured],
        jobs={batch_id: calls * plan.results_per_call for batch_id, calls in calls_by_batch.items()},
        sent=len(answers) * plan.results_per_call,
        recorded=sum(recorded_in(answer.payload, plan.results_per_call) for answer in answers),
    )


def recorded_in(payload: bytes, results_per_call: int) -> int:
    """Return how many results of an answer were new; each result must be in it without an error."""
    if results_per_call == 1:
        results = [pb.ReportedResult(disposition=pb.ReportJobResultResponse.FromString(payload).disposition)]
    else:
        results = list(pb.ReportJobResultsResponse.FromString(payload).results)
    if len(results) != results_per_call or not all(result.disposition for result in results):
        raise RuntimeError(f"a result was not recorded: {results[:1]}")
    return sum(result.disposition == pb.DISPOSITION_RECORDED for result in results)


if __name__ == "__main__":
    main()
