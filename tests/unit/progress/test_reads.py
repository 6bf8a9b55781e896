"""How many reads of a caller run, wait and are refused."""

import asyncio

import pytest

from rpc.answers.refusal import Refusal
from rpc.callers.limits import Limits
from rpc.callers.principal import Principal, Role, set_caller
from services.progress.reads import Reads

CONNECTIONS = 4
READS_MAX = 5


class Database:
    """A database whose reads take until `answer` is set."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.answer = asyncio.Event()

    async def read(self, name: str) -> str:
        """Read when the database answers."""
        self.running.append(name)
        try:
            await self.answer.wait()
        finally:
            self.running.remove(name)
        return name


def new_caller(name: str) -> Principal:
    """Return a caller that may have a few reads under way."""
    return Principal(name, frozenset({Role.READER}), limits=Limits(reads_max=READS_MAX))


def start(reads: Reads, database: Database, who: Principal, number: int) -> list[asyncio.Task[str]]:
    """Start reads of a caller."""
    set_caller(who)
    return [
        asyncio.create_task(reads.run(lambda name=f"{who.name}{n}": database.read(name)))  # type: ignore[misc]
        for n in range(number)
    ]


async def turns() -> None:
    """Let all tasks run as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def refused(reads: Reads, database: Database, who: Principal) -> str:
    """Return the reason for which another read is refused."""
    (extra,) = start(reads, database, who, 1)
    with pytest.raises(Refusal) as caught:
        await extra
    assert caught.value.retry_delay_seconds is not None
    return caught.value.reason


async def test_reads_of_a_caller_use_half_of_the_connections() -> None:
    """Another caller's read runs at once; the rest of the first caller's wait for their turn."""
    reads, database, greedy = Reads(CONNECTIONS), Database(), new_caller("g")
    waiting = start(reads, database, greedy, READS_MAX)
    await turns()
    other = start(reads, database, new_caller("o"), 1)
    await turns()
    assert database.running == ["g0", "g1", "o0"]
    database.answer.set()
    assert await asyncio.gather(*waiting, *other) == ["g0", "g1", "g2", "g3", "g4", "o0"]


async def test_reads_beyond_the_limit_are_refused_until_others_are_over() -> None:
    reads, database, who = Reads(CONNECTIONS), Database(), new_caller("a")
    first = start(reads, database, who, READS_MAX)
    await turns()
    assert await refused(reads, database, who) == "CALLER_READS"
    database.answer.set()
    await asyncio.gather(*first)
    await asyncio.gather(*start(reads, database, who, READS_MAX))


async def test_read_that_is_cancelled_while_it_waits_frees_its_place() -> None:
    """It never reaches the database."""
    reads, database, who = Reads(CONNECTIONS), Database(), new_caller("a")
    first = start(reads, database, who, READS_MAX)
    await turns()
    first[-1].cancel()
    await turns()
    first += start(reads, database, who, 1)
    await turns()
    assert await refused(reads, database, who) == "CALLER_READS"
    database.answer.set()
    ended = await asyncio.gather(*first, return_exceptions=True)
    assert [type(one) for one in ended].count(asyncio.CancelledError) == 1


async def test_cancelled_read_keeps_its_place_until_the_database_has_answered() -> None:
    """Otherwise a caller could occupy every connection by cancelling its calls."""
    reads, database, who = Reads(CONNECTIONS), Database(), new_caller("a")
    first = start(reads, database, who, READS_MAX)
    await turns()
    for call in first[: CONNECTIONS // 2]:
        call.cancel()
    await turns()
    assert database.running == ["a0", "a1"]
    assert await refused(reads, database, who) == "CALLER_READS"
    database.answer.set()
    await asyncio.gather(*first, return_exceptions=True)
    assert database.running == []
    await asyncio.gather(*start(reads, database, who, READS_MAX))


async def test_failed_read_frees_its_place() -> None:
    reads, database, who = Reads(CONNECTIONS), Database(), new_caller("a")
    set_caller(who)

    async def fail() -> None:
        raise ValueError("a defect")

    for _ in range(2 * READS_MAX):
        with pytest.raises(ValueError, match="a defect"):
            await reads.run(fail)
    database.answer.set()
    await asyncio.gather(*start(reads, database, who, READS_MAX))


async def test_single_connection_is_enough() -> None:
    reads, database, who = Reads(1), Database(), new_caller("a")
    database.answer.set()
    assert await asyncio.gather(*start(reads, database, who, 2)) == ["a0", "a1"]
