"""What reports, calls and watches make of everything that may answer, or not.

What the test sees is the table in docs/reliability.md.
"""

import asyncio
from collections.abc import Iterable

import pytest

from batchprogress import AsyncClient, AsyncReporter, CallFailed, Client
from batchprogress._grpc import retry
from batchprogress._reporting import call_pace
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.either import opened
from tests.integration.client.road import Case, cases
from tests.support.eventually import eventually
from tests.support.http2_server import Answer, Request, grpc_status, http2_server, http_status, ok
from tests.support.progress import ROOT

SECONDS_MAX = 60.0
ENDED = pb.Batch(batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=4, total_jobs=2, succeeded_jobs=2)
THREAD_SECONDS_MAX = 10.0
"""A thread that has ended never answers: this shows it soon."""
MIB = 1024 * 1024
BAD_ANSWERS = 4
"""Enough for two reports to be halved, and for a page to come twice."""
AT_ONCE = 16
"""Answers that are tried at the same time: more wait for the two cores anyway."""


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS_MIN", 0.001)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS_MAX", 0.01)
    monkeypatch.setattr(call_pace, "DEFERRED_SECONDS_MIN", 0.001)
    monkeypatch.setattr(call_pace, "DEFERRED_SECONDS_MAX", 0.01)


class Road:
    """Gives the first calls an answer, and lets later ones reach a server.

    Args:
        answer: of the first calls.

    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._calls = 0
        self.has_answered = asyncio.Event()
        self.is_well = asyncio.Event()

    def answer_to(self, request: Request) -> Answer:
        """Answer a request."""
        self._calls += 1
        if self._calls > BAD_ANSWERS:
            self.has_answered.set()
        if not self.is_well.is_set():
            return self._answer
        if request.method == "GetBatch":
            return ok(pb.GetBatchResponse(batch=ENDED))
        if request.method == "WatchBatch":
            return ok(pb.WatchBatchResponse(batch=ENDED))
        results = pb.ReportJobResultsRequest.FromString(request.message).results
        recorded = pb.ReportedResult(disposition=pb.DISPOSITION_RECORDED)
        return ok(pb.ReportJobResultsResponse(results=[recorded] * len(results)))

    async def mend(self) -> None:
        """Reach the server once the answer was given often."""
        await self.has_answered.wait()
        self.is_well.set()


async def reports_after(answer: Answer) -> str:
    """Return what becomes of two reports."""
    road = Road(answer)
    async with http2_server(road.answer_to) as target, AsyncReporter(target, "b") as reporter:
        reporter.succeeded("1")
        reporter.failed("2", "an error")
        mending = asyncio.create_task(road.mend())
        assert await reporter.flush(SECONDS_MAX)
        mending.cancel()
        counts = reporter.counts
    if counts.dropped:
        assert sum(counts.dropped.values()) == 2
        assert {*counts.dropped} <= {f"REASON_{code}" for code in range(17)}
        return "dropped, with its reason"
    assert counts.recorded == 2
    return "kept"


async def call_after(answer: Answer, kind: type[Client | AsyncClient]) -> str:
    """Return how a unary call ends."""
    road = Road(answer)
    mending = asyncio.create_task(road.mend())
    async with http2_server(road.answer_to) as target, opened(kind, target, timeout=SECONDS_MAX) as client:
        try:
            batch = await client.call("get", "b")
        except CallFailed as error:
            return f"`{type(error).__name__}`"
        finally:
            mending.cancel()
    assert batch.revision == ENDED.revision
    return "tried again"


async def watch_after(answer: Answer, kind: type[Client | AsyncClient]) -> str:
    """Return how a watch goes on."""
    road = Road(answer)
    mending = asyncio.create_task(road.mend())
    async with http2_server(road.answer_to) as target, opened(kind, target) as client:
        try:
            states = await client.every("watch", "b")
        except CallFailed as error:
            return f"`{type(error).__name__}`"
        finally:
            mending.cancel()
    revisions = [state.revision for state in states]
    assert revisions == sorted(set(revisions))
    assert states[-1].has_ended
    return "goes on"


Outcome = tuple[str, ...]
"""What becomes of reports, of a call and of a watch."""


async def outcome(case: Case, kind: type[Client | AsyncClient], limit: asyncio.Semaphore) -> Outcome:
    """Return what an answer means for reports, a call and a watch."""
    async with limit, asyncio.timeout(SECONDS_MAX):
        call, watch = call_after(case.answer, kind), watch_after(case.answer, kind)
        return tuple(await asyncio.gather(reports_after(case.answer), call, watch))


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_only_our_server_refuses_for_good(kind: type[Client | AsyncClient]) -> None:
    """Anything else keeps reports; calls and watches go on, or say who answered where a person must look."""
    await assert_outcomes_are_documented(kind)


@pytest.mark.more("tries every answer once more")
@pytest.mark.usefixtures("_in_a_forked_child")
async def test_the_call_process_hands_every_answer_on() -> None:
    """Reports, calls and watches of a forked child end as those of other processes."""
    await assert_outcomes_are_documented(Client)


async def assert_outcomes_are_documented(kind: type[Client | AsyncClient]) -> None:
    """Compare what every answer means with the table."""
    limit = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(outcome(case, kind, limit) for case in cases()))
    lines = "\n".join(table(zip(cases(), outcomes, strict=True)))
    documented = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert lines in documented, f"docs/reliability.md must have:\n{lines}"


class Firewall(Road):
    """Refuses each call with a word, or above a size."""

    def __init__(self, answer: Answer, *, word: bytes = b"", bytes_max: int = MIB) -> None:
        super().__init__(answer)
        self._refusal = answer
        self._word = word
        self._bytes_max = bytes_max
        self.is_well.set()
        self.lets_all_pass = False

    def answer_to(self, request: Request) -> Answer:
        """Answer a request."""
        has_word = bool(self._word) and self._word in request.message
        if not self.lets_all_pass and (has_word or len(request.message) > self._bytes_max):
            return self._refusal
        return super().answer_to(request)


async def test_a_report_that_a_firewall_refuses_holds_up_no_other() -> None:
    """The others arrive, it waits, and it arrives when the firewall has learned."""
    firewall = Firewall(http_status(403), word=b"DROP TABLE")
    async with http2_server(firewall.answer_to) as target, AsyncReporter(target, "b") as reporter:
        for number in range(200):
            reporter.failed(str(number), "DROP TABLE users" if number == 7 else "an error")
        await eventually(lambda: reporter.counts.recorded == 199)
        assert (reporter.counts.pending, reporter.counts.dropped) == (1, {})
        firewall.lets_all_pass = True
        assert await reporter.flush(SECONDS_MAX)


async def test_reports_pass_a_proxy_that_limits_the_size_of_calls() -> None:
    """Nginx lets 1 MiB pass by default."""
    firewall = Firewall(http_status(413))
    async with http2_server(firewall.answer_to) as target, AsyncReporter(target, "b") as reporter:
        for number in range(2_000):
            reporter.failed(str(number), "x" * 2_000)
        assert await reporter.flush(SECONDS_MAX)
    assert reporter.counts.recorded == 2_000


async def test_an_answer_without_a_message_ends_no_thread() -> None:
    """Grpcio returns None for it."""
    road = Road(grpc_status(0))
    async with http2_server(road.answer_to) as target, AsyncReporter(target, "b") as reporter:
        reporter.succeeded("1")
        mending = asyncio.create_task(road.mend())
        assert await reporter.flush(THREAD_SECONDS_MAX)
        await mending


def table(outcomes: Iterable[tuple[Case, Outcome]]) -> list[str]:
    """Return the lines of the table, one for all answers with the same outcome."""
    rows: dict[Outcome, dict[str, dict[str, None]]] = {}
    for case, outcome in outcomes:
        rows.setdefault(outcome, {}).setdefault(case.group, {})[case.name] = None
    lines = ["| answer | reports | call | watch |", "| --- | --- | --- | --- |"]
    for outcome, groups in rows.items():
        answers = "<br>".join(f"{group}: {', '.join(names)}" for group, names in groups.items())
        lines.append(f"| {answers} | {' | '.join(outcome)} |")
    return lines
