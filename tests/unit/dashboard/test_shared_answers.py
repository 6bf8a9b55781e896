"""One call for all who ask the same."""

import asyncio

import pytest

from services.dashboard import shared_answers
from services.dashboard.errors import ServerAway, TooMany
from services.dashboard.shared_answers import SharedAnswers


class Upstream:
    """Counts what it is asked and answers when it is let."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def ask(self) -> bytes:
        """Answer with how often it was asked."""
        self.asked += 1
        await self.may_answer.wait()
        return str(self.asked).encode()


async def test_asked_once_at_a_time() -> None:
    """Whoever asks while the answer is under way, or just after it, gets it too."""
    shared, upstream = SharedAnswers(), Upstream()
    asking = [asyncio.create_task(shared.get("question", upstream.ask)) for _ in range(100)]
    await asyncio.sleep(0)
    upstream.may_answer.set()
    assert set(await asyncio.gather(*asking)) == {b"1"}
    assert await shared.get("question", upstream.ask) == b"1"
    assert await shared.get("another", upstream.ask) == b"2"


async def test_an_old_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is given out for a while only."""
    monkeypatch.setattr(shared_answers, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(shared_answers, "REST", 0)
    shared, upstream = SharedAnswers(), Upstream()
    upstream.may_answer.set()
    assert [await shared.get("question", upstream.ask) for _ in range(2)] == [b"1", b"2"]


async def test_one_who_leaves_takes_nothing_away() -> None:
    """Others get the answer although the first who asked has gone."""
    shared, upstream = SharedAnswers(), Upstream()
    first, second = (asyncio.create_task(shared.get("question", upstream.ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    upstream.may_answer.set()
    assert await second == b"1"


async def test_errors_are_shared() -> None:
    """What asking raises is raised to all who asked."""

    async def fail() -> bytes:
        raise ServerAway

    shared = SharedAnswers()
    answers = await asyncio.gather(*(shared.get("question", fail) for _ in range(3)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ServerAway}


async def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answer goes for a new one; questions under way are never more than may be."""
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
    """Of long answers fewer are kept: the oldest go, and are asked for again."""
    monkeypatch.setattr(shared_answers, "KEPT_BYTES_MAX", 2)
    shared, upstream = SharedAnswers(), Upstream()
    upstream.may_answer.set()
    answers = [await shared.get(question, upstream.ask) for question in ("a", "b", "c", "d", "d", "c", "a")]
    assert answers == [b"1", b"2", b"3", b"4", b"4", b"3", b"5"]
