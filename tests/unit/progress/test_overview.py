"""The reader of the overview, when reads fail."""

import asyncio
import math

import pytest
from structlog.testing import capture_logs

from batches.errors import DatabaseUnavailable
from batches.overview import Overview
from services import overview_reader
from services.overview_reader import OverviewReader

OVERVIEW = Overview({}, 0, 0.0, math.inf, 0, 0, 0)


async def test_consecutive_failures_are_logged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a failed read there is no overview until the next successful one."""
    monkeypatch.setattr(overview_reader, "READ_SECONDS", 0)
    answers: list[Overview | Exception]
    answers = [OVERVIEW, ValueError("one"), DatabaseUnavailable(), ValueError("two"), OVERVIEW, ValueError()]
    seen: list[Overview | None] = []
    finished = asyncio.Event()

    async def read() -> Overview:
        seen.append(reader.newest)
        if not answers:
            finished.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reader = OverviewReader(read, "it cannot be read")
    with capture_logs() as log:
        running = asyncio.create_task(reader.run())
        await asyncio.wait(
            [running, asyncio.create_task(finished.wait())], return_when=asyncio.FIRST_COMPLETED
        )
    assert not running.done()
    running.cancel()
    assert seen == [None, OVERVIEW, None, None, None, OVERVIEW, None]
    assert [(entry["event"], type(entry["exc_info"])) for entry in log] == [
        ("it cannot be read", ValueError)
    ] * 2
