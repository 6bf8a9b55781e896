"""python -m tests.faults.neighbours: how long a report takes beside greedy callers, in one run."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from typing import Annotated, cast

import typer

from database_servers import Engine, database_server
from tests.support import greedy
from tests.support.neighbour import Neighbour, neighbour
from tests.support.progress import progress_process
from tests.support.storage import ServerDatabases, SqliteDatabases

SETTLE_SECONDS = 2.0
"""A measurement that is thrown away: the calls that an attack has left are answered meanwhile."""


class EngineChoice(StrEnum):
    """Where the batches are."""

    SQLITE = "sqlite"
    MYSQL = "mysql"
    MARIADB = "mariadb"


@contextmanager
def _migrated(engine: EngineChoice) -> Iterator[str]:
    """Yield the URL of an empty database with our tables."""
    if engine is EngineChoice.SQLITE:
        with closing(SqliteDatabases()) as files, files.migrated() as url:
            yield url
        return
    with (
        database_server(cast("Engine", engine.value), own=True) as server,
        closing(ServerDatabases(server)) as databases,
        databases.migrated() as url,
    ):
        yield url


async def _measure_all(url: str, seconds: float, words: str) -> None:
    async with progress_process(url) as server, neighbour(server.target) as victim:
        await greedy.create_batches(server.target)
        for attack in greedy.ATTACKS:
            if words in attack.name:
                await _measure(server.target, victim, attack, seconds)


async def _measure(target: str, victim: Neighbour, attack: greedy.Attack, seconds: float) -> None:
    await victim.measure(SETTLE_SECONDS)
    alone = await victim.measure(seconds)
    async with greedy.attacked(target, attack) as sent:
        during = await victim.measure(seconds)
    print(f"{attack.name}: p99 {during.p99 / alone.p99:.1f} x")
    print(f"  alone   {alone}")
    print(f"  during  {during}")
    print(f"  the attacker: {sent.answered} calls answered, {sent.refused} refused", flush=True)


def main(
    engine: Annotated[EngineChoice, typer.Option(help="Where the batches are.")] = EngineChoice.SQLITE,
    seconds: Annotated[float, typer.Option(help="The length of each measurement.")] = 5.0,
    words: Annotated[str, typer.Option(help="Run only the attacks with these words in their name.")] = "",
) -> None:
    """Print a neighbour's p50 and p99 alone and under each attack."""
    with _migrated(engine) as url:
        asyncio.run(_measure_all(url, seconds, words))


if __name__ == "__main__":
    typer.run(main)
