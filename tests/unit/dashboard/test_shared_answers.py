"""Equal requests share one call."""

import asyncio

import pytest

from services.dashboard import shared_answers
from services.dashboard.errors import Busy, ServerAway
from services.dashboard.shared_answers import SharedAnswers


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


async def test_equal_requests_share_one_call() -> None:
    """Requests that arrive during the call, or just after it, get its answer."""
    shared, upstream = SharedAnswers(), Upstream()
    asking = [asyncio.create_task(shared.get("request", upstream.ask)) for _ in range(100)]
    await asyncio.sleep(0)
    upstream.may_answer.set()
    assert set(await asyncio.gather(*asking)) == {b"1"}
    assert await shared.get("request", upstream.ask) == b"1"
    assert await shared.get("another", upstream.ask) == b"2"


async def test_an_old_answer_is_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_answers, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(shared_answers, "REUSE_FACTOR", 0)
    shared, upstream = SharedAnswers(), Upstream()
    upstream.may_answer.set()
    assert [await shared.get("request", upstream.ask) for _ in range(2)] == [b"1", b"2"]


async def test_a_viewer_that_leaves_cancels_no_call_of_others() -> None:
    """The other caller gets the answer although the first one has left."""
    shared, upstream = SharedAnswers(), Upstream()
    first, second = (asyncio.create_task(shared.get("request", upstream.ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    upstream.may_answer.set()
    assert await second == b"1"


async def test_errors_are_shared() -> None:

    async def fail() -> bytes:
        raise ServerAway

    shared = SharedAnswers()
    answers = await asyncio.gather(*(shared.get("request", fail) for _ in range(3)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ServerAway}


async def test_kept_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new answer replaces the oldest."""
    monkeypatch.setattr(shared_answers, "ANSWERS_MAX", 2)
    shared, upstream = SharedAnswers(), Upstream()
    upstream.may_answer.set()
    answers = [await shared.get(question, upstream.ask) for question in "abcba"]
    assert answers == [b"1", b"2", b"3", b"2", b"4"]


async def test_different_reads_in_progress_are_bounded() -> None:
    """Some wait for their turn, the others are refused at once."""
    shared, upstream = SharedAnswers(), Upstream()
    room = shared_answers.READS_MAX + shared_answers.READS_WAITING_MAX
    asking = await _asking(shared, upstream, room)
    assert upstream.asked == shared_answers.READS_MAX
    with pytest.raises(Busy):
        await shared.get("one too many", upstream.ask)
    upstream.may_answer.set()
    assert len(await asyncio.gather(*asking)) == room


async def test_searches_leave_reads_their_turns() -> None:
    """Any number of different searches is one call of the server at a time."""
    shared, upstream, reads = SharedAnswers(), Upstream(), Upstream()
    room = shared_answers.SEARCHES_MAX + shared_answers.SEARCHES_WAITING_MAX
    asking = await _asking(shared, upstream, 150, is_search=True)
    assert upstream.asked == shared_answers.SEARCHES_MAX
    reads.may_answer.set()
    assert await shared.get("read", reads.ask) == b"1"
    upstream.may_answer.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(answer, bytes) for answer in answers) == room
    assert sum(isinstance(answer, Busy) for answer in answers) == 150 - room


async def test_refused_requests_replace_no_kept_answer() -> None:
    shared, upstream, kept = SharedAnswers(), Upstream(), Upstream()
    kept.may_answer.set()
    await shared.get("kept", kept.ask)
    asking = await _asking(shared, upstream, 3 * shared_answers.ANSWERS_MAX, is_search=True)
    assert await shared.get("kept", kept.ask) == b"1"
    upstream.may_answer.set()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_kept_answers_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answers are dropped when all together are too large, and are fetched again."""
    monkeypatch.setattr(shared_answers, "KEPT_BYTES_MAX", 2)
    shared, upstream = SharedAnswers(), Upstream()
    upstream.may_answer.set()
    answers = [await shared.get(question, upstream.ask) for question in ("a", "b", "c", "d", "d", "c", "a")]
    assert answers == [b"1", b"2", b"3", b"4", b"4", b"3", b"5"]


async def _asking(
    shared: SharedAnswers, upstream: Upstream, count: int, *, is_search: bool = False
) -> list[asyncio.Task[bytes]]:
    """Send different requests that wait for their answers."""
    tasks = [
        asyncio.create_task(shared.get(("request", number), upstream.ask, is_search=is_search))
        for number in range(count)
    ]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks
