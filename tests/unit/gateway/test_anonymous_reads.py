"""Reads without a token take turns, and equal ones share one call if their callers allow it."""

import asyncio
from functools import partial

import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract import anonymous_reads
from services.gateway.contract.anonymous_reads import AnonymousReads, age_seconds_max_of, is_large
from services.gateway.contract.answers import Answer

AGE = 60


class Upstream:
    """Counts calls, and answers them when the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def ask(self) -> bytes:
        """Return the number of calls so far."""
        self.asked += 1
        await self.may_answer.wait()
        return str(self.asked).encode()


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def ready(upstream: Upstream) -> Upstream:
    upstream.may_answer.set()
    return upstream


async def test_equal_reads_share_one_call(upstream: Upstream) -> None:
    """Reads that arrive during the call, or just after it, get its answer."""
    reads = AnonymousReads()
    asking = [asyncio.create_task(reads.get("read", upstream.ask, AGE)) for _ in range(100)]
    await asyncio.sleep(0)
    upstream.may_answer.set()
    assert set(await asyncio.gather(*asking)) == {b"1"}
    assert await reads.get("read", upstream.ask, AGE) == b"1"
    assert await reads.get("another", upstream.ask, AGE) == b"2"


async def test_a_caller_that_does_not_allow_it_gets_an_answer_of_its_own(ready: Upstream) -> None:
    reads = AnonymousReads()
    assert [await reads.get("read", ready.ask, age) for age in (AGE, 0, AGE, 0)] == [b"1", b"2", b"1", b"3"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("no-cache", 0),
        ("max-age=0", 0),
        ("max-age=1", 1),
        ("no-transform, max-age=10", 10),
        ("max-age=x", 0),
        ("s-max-age=", 0),
    ],
)
def test_age_is_told_by_the_header(header: str | None, seconds: int) -> None:
    assert age_seconds_max_of(header) == seconds


async def test_an_old_answer_is_not_shared(monkeypatch: pytest.MonkeyPatch, ready: Upstream) -> None:
    monkeypatch.setattr(anonymous_reads, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(anonymous_reads, "REUSE_FACTOR", -1)
    reads = AnonymousReads()
    assert [await reads.get("read", ready.ask, AGE) for _ in range(2)] == [b"1", b"2"]


async def test_a_caller_that_leaves_cancels_no_call_of_others(upstream: Upstream) -> None:
    reads = AnonymousReads()
    first, second = (asyncio.create_task(reads.get("read", upstream.ask, AGE)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    upstream.may_answer.set()
    assert await second == b"1"


async def test_errors_are_shared() -> None:
    calls: list[None] = []

    async def fail() -> bytes:
        calls.append(None)
        raise ZeroDivisionError

    reads = AnonymousReads()
    answers = await asyncio.gather(*(reads.get("read", fail, AGE) for _ in range(3)), return_exceptions=True)
    assert ({type(answer) for answer in answers}, len(calls)) == ({ZeroDivisionError}, 1)


async def test_kept_answers_are_bounded(monkeypatch: pytest.MonkeyPatch, ready: Upstream) -> None:
    """A new answer replaces the oldest."""
    monkeypatch.setattr(anonymous_reads, "ANSWERS_MAX", 2)
    reads = AnonymousReads()
    answers = [await reads.get(question, ready.ask, AGE) for question in "abcba"]
    assert answers == [b"1", b"2", b"3", b"2", b"4"]


async def test_kept_answers_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch, ready: Upstream) -> None:
    """The oldest answers are dropped when all together are too large, and are fetched again."""
    monkeypatch.setattr(anonymous_reads, "KEPT_BYTES_MAX", 2)
    reads = AnonymousReads()
    answers = [await reads.get(question, ready.ask, AGE) for question in ("a", "b", "c", "d", "d", "c", "a")]
    assert answers == [b"1", b"2", b"3", b"4", b"4", b"3", b"5"]


@pytest.mark.parametrize("age", [0, AGE])
async def test_reads_in_progress_are_bounded(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, age: int
) -> None:
    """Some wait for their turn, the others are refused at once and replace no kept answer."""
    monkeypatch.setattr(anonymous_reads, "READS_WAITING_MAX", 20)
    reads, kept = AnonymousReads(), Upstream()
    kept.may_answer.set()
    await reads.get("kept", kept.ask, AGE)
    room = anonymous_reads.READS_MAX + anonymous_reads.READS_WAITING_MAX
    asking = await _asking(reads, upstream, room, age)
    assert upstream.asked == anonymous_reads.READS_MAX
    for _ in range(3):
        with pytest.raises(Answer, match="too many other reads"):
            await reads.get("one too many", upstream.ask, age)
    assert await reads.get("kept", kept.ask, AGE) == b"1"
    upstream.may_answer.set()
    assert len(await asyncio.gather(*asking)) == room


async def test_a_read_that_waits_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    """Its place in the line is free again."""
    monkeypatch.setattr(anonymous_reads, "WAIT_SECONDS_MAX", 0.01)
    monkeypatch.setattr(anonymous_reads, "READS_WAITING_MAX", 1)
    reads = AnonymousReads()
    asking = await _asking(reads, upstream, anonymous_reads.READS_MAX, 0)
    for _ in range(3):
        with pytest.raises(Answer, match="too many other reads"):
            await reads.get("late", upstream.ask, 0)
    upstream.may_answer.set()
    await asyncio.gather(*asking)
    await reads.get("late", upstream.ask, 0)


async def test_a_read_that_fails_frees_its_turn() -> None:
    reads = AnonymousReads()
    for _ in range(2 * anonymous_reads.READS_MAX):
        with pytest.raises(ZeroDivisionError):
            await reads.get("read", _fail, 0)


async def test_large_reads_leave_others_their_turns(upstream: Upstream) -> None:
    """Any number of different ones is one call of the server at a time."""
    reads, small = AnonymousReads(), Upstream()
    room = anonymous_reads.LARGE_READS_MAX + anonymous_reads.LARGE_READS_WAITING_MAX
    asking = await _asking(reads, upstream, 150, 0, is_large=True)
    assert upstream.asked == anonymous_reads.LARGE_READS_MAX
    small.may_answer.set()
    assert await reads.get("small", small.ask, 0) == b"1"
    upstream.may_answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(answer, bytes) for answer in answers) == room
    assert sum(isinstance(answer, Answer) for answer in answers) == 150 - room


async def test_a_large_read_is_followed_by_a_pause(monkeypatch: pytest.MonkeyPatch, ready: Upstream) -> None:
    monkeypatch.setattr(anonymous_reads, "PAUSE_FACTOR", 1e9)
    monkeypatch.setattr(anonymous_reads, "WAIT_SECONDS_MAX", 0.01)
    reads = AnonymousReads()
    assert await reads.get("first", ready.ask, 0, is_large=True) == b"1"
    with pytest.raises(Answer, match="too many other reads"):
        await reads.get("second", ready.ask, 0, is_large=True)


@pytest.mark.parametrize(
    ("page_size", "expected"), [(0, False), (anonymous_reads.ITEMS_MAX, False), (101, True), (5_000, True)]
)
def test_a_read_of_many_items_is_large(page_size: int, expected: bool) -> None:  # noqa: FBT001  # a case
    request = pb.ListBatchesRequest(page_size=page_size).SerializeToString()
    assert is_large(request, pb.ListBatchesRequest) is expected


def test_a_request_that_is_none_is_not_large() -> None:
    assert not is_large(b"\x0a\xff", pb.ListBatchesRequest)
    assert not is_large(b"", pb.GetBatchRequest)


async def _asking(
    reads: AnonymousReads, upstream: Upstream, count: int, age_seconds_max: int, *, is_large: bool = False
) -> list[asyncio.Task[bytes]]:
    """Make different reads that wait for their answers."""
    get = partial(reads.get, read=upstream.ask, age_seconds_max=age_seconds_max, is_large=is_large)
    tasks = [asyncio.create_task(get(("read", number))) for number in range(count)]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def _fail() -> bytes:
    raise ZeroDivisionError
