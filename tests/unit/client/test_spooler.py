"""What a sender keeps in its spool, while the disk works, is full or hangs."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.outbox import Outbox
from batchprogress._reporting.spool import FileSpool
from batchprogress._reporting.spooler import Spooler
from tests.support.eventually import eventually
from tests.unit.client.reports import outbox_with, recorded, report
from tests.unit.client.test_sender import SECONDS_MAX, Paused, sender_of
from tests.unit.client.test_spool import file_size_limit, recovered, spool_of_ended_process


class Running:
    """An outbox whose reports are kept in a spool."""

    def __init__(self, spool: FileSpool, outbox: Outbox | None = None) -> None:
        self.outbox = outbox or outbox_with()
        self.has_recovered = threading.Event()
        self.spooler = Spooler(spool, self.outbox, threading.Condition(), self.has_recovered.set)

    def report(self, *job_ids: str) -> None:
        """Report jobs."""
        for job_id in job_ids:
            self.spooler.keep(self.outbox.enqueue(report(job_id)), report(job_id))

    def answer(self, number: int) -> None:
        """Answer the oldest reports, which are all that wait."""
        self.outbox.start_call()
        self.outbox.on_response(recorded(number))
        self.spooler.wake()

    def end(self) -> None:
        """Close as a sender does that stops."""
        self.outbox.abandon_unsent(spooled=True)
        self.spooler.close(SECONDS_MAX)
        self.outbox.log.write()


def spooled_bytes(folder: Path) -> int:
    """Return the size of all files in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir())


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """Return an empty outbox with a spool in a folder of its own."""
    running = Running(FileSpool(tmp_path))
    yield running
    running.spooler.close(SECONDS_MAX)


def test_reports_in_the_spool_are_not_dropped_at_the_end(
    running: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The next process sends them, and the warning says so."""
    running.report("a", "b")
    running.end()
    assert running.outbox.counts.dropped == {}
    assert "the next process sends them" in caplog.text
    assert recovered(tmp_path) == ["a", "b"]


async def test_the_spool_is_cleared_only_when_every_report_is_answered(
    running: Running, tmp_path: Path
) -> None:
    """A killed process must leave the unanswered ones."""
    running.report("a")
    running.outbox.start_call()
    running.report("b")
    running.spooler.start()
    assert running.has_recovered.wait(SECONDS_MAX)  # it has looked at the files once
    running.outbox.on_response(recorded(1))
    assert spooled_bytes(tmp_path)
    running.answer(1)
    await eventually(lambda: not spooled_bytes(tmp_path))


async def test_reports_of_earlier_processes_wait_for_room(tmp_path: Path) -> None:
    """They crowd out no new report."""
    for job_id in ("a", "b"):
        spool_of_ended_process(tmp_path, job_id)
    running = Running(FileSpool(tmp_path), outbox_with(reports_max=2))
    running.spooler.start()
    await eventually(lambda: running.outbox.counts.pending == 1)
    assert not running.has_recovered.is_set()
    running.answer(1)
    assert running.has_recovered.wait(SECONDS_MAX)
    assert running.outbox.counts.pending == 1
    running.end()


def test_a_broken_spool_fails_no_report(caplog: pytest.LogCaptureFixture) -> None:
    """Reports are still in memory, and one warning says so."""
    running = Running(FileSpool(Path("/dev/null/spool")))
    running.report("a", "b")
    running.end()
    assert running.outbox.counts.pending == 2
    assert caplog.text.count("only in memory") == 1


def test_the_log_says_how_many_reports_a_full_disk_did_not_keep(
    running: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only those that are in no file count as dropped."""
    running.report("a")
    (file,) = tmp_path.iterdir()
    with file_size_limit(file.stat().st_size):
        running.report("b", "c")
        running.end()
    assert running.outbox.counts.dropped == {"UNSENT": 2}
    assert "3 reports are unsent at the end: 2 of them are in no file" in caplog.text
    assert recovered(tmp_path) == ["a"]


async def test_reports_that_a_full_disk_did_not_keep_are_kept_once_it_has_room(
    running: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that were answered meanwhile are not."""
    with file_size_limit(0):
        running.report("answered")
        running.report("waits")
    running.outbox.start_call()
    running.outbox.on_response(recorded(2))
    with file_size_limit(0):
        running.report("b", "c")
    running.spooler.start()
    await eventually(lambda: not running.outbox.unkept)
    running.end()
    assert "next process sends them" in caplog.text
    assert recovered(tmp_path) == ["b", "c"]


class Hanging(FileSpool):
    """A spool on a disk that hangs until the test releases it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_writing = threading.Event()
        self.works = threading.Event()

    def append(self, report: Report, unanswered: Iterable[Report]) -> None:
        """Wait for the disk."""
        self.is_writing.set()
        assert self.works.wait(SECONDS_MAX)
        super().append(report, unanswered)


def test_a_disk_that_hangs_blocks_neither_the_sender_nor_the_counts(tmp_path: Path) -> None:
    """Only the job that waits for its own record."""
    outbox, spool = Paused(), Hanging(tmp_path)
    with sender_of(outbox, spool=spool) as sender:
        job = threading.Thread(target=sender.enqueue, args=[report("a")])
        job.start()
        assert spool.is_writing.wait(SECONDS_MAX)
        assert sender.counts.pending == 1
        assert outbox.has_paused.acquire(timeout=SECONDS_MAX), "the sender has tried to send it"
        spool.works.set()
        job.join()


def test_a_flush_waits_for_the_reports_of_earlier_processes(tmp_path: Path) -> None:
    """Nothing is unanswered before they are read, and yet it is not done."""
    spool_of_ended_process(tmp_path, "a")
    has_looked, may_go_on = threading.Event(), threading.Event()

    class Slow(FileSpool):
        def recover_next(self, unanswered: Iterable[Report]) -> list[Report]:
            has_looked.set()
            assert may_go_on.wait(SECONDS_MAX)
            return super().recover_next(unanswered)

    with sender_of(Paused(), spool=Slow(tmp_path)) as sender:
        sender.start()
        flushed = sender.start_flush()
        assert has_looked.wait(SECONDS_MAX)
        assert not flushed.done()
        may_go_on.set()
        sender.stop()
        assert flushed.result(SECONDS_MAX) is False
