"""Equal requests share one call."""

import asyncio

import pytest

from services.dashboard import shared_answers
from services.dashboard.errors import ServerAway, TooMany
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


async def test_answers_and_calls_in_progress_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new answer replaces the oldest; calls in progress beyond the limit are refused."""
    monkeypatch.setattr(shared_answers, "ANSWERS_MAX", 2)
    shared, quick, slow = SharedAnswers(), Upstream(), Upstream()
    quick.may_answer.set()
    for number in range(5):
        await shared.get(number, quick.ask)
    waiting = [asyncio.create_task(shared.get(f"slow {number}", slow.ask)) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await shared.get("one too many", quick.ask)
    slow.may_answer.set()
    await asyncio.gather(*waiting)


async def test_kept_answers_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answers are dropped when all together are too large, and are fetched again."""
    monkeypatch.setattr(shared_answers, "KEPT_BYTES_MAX", 2)
    shared, upstream = SharedAnswers(), Upstream()
    upstream.may_answer.set()
    answers = [await shared.get(question, upstream.ask) for question in ("a", "b", "c", "d", "d", "c", "a")]
    assert answers == [b"1", b"2", b"3", b"4", b"4", b"3", b"5"]
