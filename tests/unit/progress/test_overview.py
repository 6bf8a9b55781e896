"""What the metrics of the batches are read with, when that fails."""

import asyncio

import pytest
from structlog.testing import capture_logs

from batches.errors import DatabaseUnavailable
from batches.overview import Overview
from services.progress import overview
from services.progress.overview import OverviewReader

OVERVIEW = Overview({}, 0, 0.0, 0, 0)


async def test_a_defect_is_logged_once_and_reading_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a read raises, no number is told then, the log says so once, and the next read counts."""
    monkeypatch.setattr(overview, "READ_SECONDS", 0)
    answers: list[Overview | Exception]
    answers = [OVERVIEW, ValueError("one"), DatabaseUnavailable(), ValueError("two"), OVERVIEW, ValueError()]
    told: list[Overview | None] = []
    ended = asyncio.Event()

    async def read() -> Overview:
        told.append(reader.newest)
        if not answers:
            ended.set()
            await asyncio.Event().wait()
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    reader = OverviewReader(read)
    with capture_logs() as log:
        running = asyncio.create_task(reader.run())
        await asyncio.wait([running, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not running.done()
    running.cancel()
    assert told == [None, OVERVIEW, None, None, None, OVERVIEW, None]
    assert [type(entry["exc_info"]) for entry in log] == [ValueError, ValueError]
