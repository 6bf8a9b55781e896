"""Reports on disk: whole records, and one owner for each file."""

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchprogress._reporting.buffer import Report
from batchprogress._reporting.locked_file import SUFFIX, lock_file
from batchprogress._reporting.spool import FileSpool
from tests.unit.client.reports import report


def spool_of_ended_process(folder: Path, *job_ids: str) -> None:
    """Append reports and close the spool, as a process does that ends."""
    spool = FileSpool(folder)
    for job_id in job_ids:
        spool.append(report(job_id), [])
    spool.close()


def recovered(folder: Path) -> list[str]:
    """Return the jobs whose reports the next process recovers."""
    return recover_all(FileSpool(folder))


def recover_all(spool: FileSpool, *unanswered: Report) -> list[str]:
    """Return the jobs whose reports a spool recovers while others are unanswered."""
    jobs: list[str] = []
    while spool.can_recover:
        jobs += [one.job_id for one in spool.recover_next(unanswered)]
    return jobs


def open_files() -> int:
    """Return the number of files that this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_reports_of_an_ended_process_are_recovered_by_the_next(tmp_path: Path) -> None:
    """They are recovered in their order, from a folder that the first process created."""
    spool_of_ended_process(tmp_path / "new", "a", "b", "c")
    assert recovered(tmp_path / "new") == ["a", "b", "c"]


def test_reports_of_a_living_process_are_not_recovered(tmp_path: Path) -> None:
    """Its own file and those that it has taken over stay locked."""
    owner = FileSpool(tmp_path)
    owner.append(report("a"), [])
    assert recovered(tmp_path) == []
    owner.close()
    first = FileSpool(tmp_path)
    assert recover_all(first) == ["a"]
    assert recovered(tmp_path) == []


def test_answered_reports_leave_the_disk(tmp_path: Path) -> None:
    """After clear and close the folder is empty."""
    spool_of_ended_process(tmp_path, "a")
    spool = FileSpool(tmp_path)
    recover_all(spool)
    spool.append(report("b"), [])
    spool.clear()
    spool.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost_bytes", [1, 5, 10])
def test_a_truncated_record_is_ignored(tmp_path: Path, lost_bytes: int) -> None:
    """A worker that is killed while it writes leaves the earlier records."""
    spool_of_ended_process(tmp_path, "a", "b", "c")
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    file.write_bytes(file.read_bytes()[:-lost_bytes])
    assert recovered(tmp_path) == ["a", "b"]


def test_a_corrupt_record_is_ignored(tmp_path: Path) -> None:
    """Everything after a record with a wrong checksum is ignored too."""
    spool_of_ended_process(tmp_path, "first", "other")
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    file.write_bytes(file.read_bytes().replace(b"other", b"otter"))
    assert recovered(tmp_path) == ["first"]


def test_a_record_that_fits_the_disk_only_in_part_hides_no_later_one(tmp_path: Path) -> None:
    """The part that was written is removed, and the report is refused."""
    spool = FileSpool(tmp_path)
    spool.append(report("a"), [])
    (file,) = tmp_path.iterdir()
    with file_size_limit(file.stat().st_size + 5), pytest.raises(OSError, match="disk is full"):
        spool.append(report("lost"), [])
    spool.append(report("b"), [])
    spool.close()
    assert recovered(tmp_path) == ["a", "b"]


def test_a_full_file_is_replaced_by_one_with_the_unanswered_reports(tmp_path: Path) -> None:
    """The spool is bounded, and no unanswered report is lost."""
    spool = FileSpool(tmp_path, bytes_max=200)
    for number in range(100):
        newest = [report(f"j{max(0, number - 1)}"), report(f"j{number}")]
        spool.append(newest[-1], newest)
    spool.close()
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    assert file.stat().st_size <= 200
    assert recovered(tmp_path)[-2:] == ["j98", "j99"]


def test_a_file_larger_than_the_bound_is_recovered(tmp_path: Path) -> None:
    """The bound is no reason to give reports up."""
    spool_of_ended_process(tmp_path, "a", "b")
    assert recover_all(FileSpool(tmp_path, bytes_max=1)) == ["a", "b"]


def test_an_unreadable_file_hides_and_loses_no_other(tmp_path: Path) -> None:
    """The rest of the folder is recovered, and only recovered files are removed."""
    spool_of_ended_process(tmp_path, "a")
    for name in ("0", "z"):
        (tmp_path / f"{name}{SUFFIX}").mkdir()
    spool = FileSpool(tmp_path)
    assert recover_all(spool) == ["a"]
    spool.clear()
    spool.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"0{SUFFIX}", f"z{SUFFIX}"]


def test_a_folder_without_locks_keeps_no_report_and_leaks_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network folder may lack locks: reports are refused, and no file stays open or is left behind."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    spool_of_ended_process(tmp_path, "a")
    open_before = open_files()
    monkeypatch.setattr("fcntl.flock", no_locks)
    spool = FileSpool(tmp_path)
    assert recover_all(spool) == []
    with pytest.raises(OSError, match="No locks"):
        spool.append(report("b"), [])
    assert open_files() == open_before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_deleted_between_opening_and_locking_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder deletes it when its reports are answered; a lock on it would keep nobody else away."""
    path = tmp_path / f"1{SUFFIX}"
    path.touch()
    flock = fcntl.flock

    def delete_then_lock(descriptor: int, operation: int) -> None:
        path.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", delete_then_lock)
    assert lock_file(path) is None


def test_an_answered_file_is_deleted_before_its_lock_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise another process could take the file over and send its reports again."""
    spool_of_ended_process(tmp_path, "a")
    (ended,) = tmp_path.iterdir()
    inode = ended.stat().st_ino
    there_at_close: list[bool] = []
    close = os.close

    def look_then_close(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == inode:
            there_at_close.append(ended.exists())
        close(descriptor)

    monkeypatch.setattr("os.close", look_then_close)
    spool = FileSpool(tmp_path)
    recover_all(spool)
    spool.clear()
    assert set(there_at_close) == {False}


def test_however_many_processes_were_killed_few_files_are_open_and_one_is_left(tmp_path: Path) -> None:
    """Each killed process left a file; a worker that holds them all has no descriptors for its jobs."""
    jobs = [f"job-{number}" for number in range(50)]
    for job_id in jobs:
        spool_of_ended_process(tmp_path, job_id)
    spool = FileSpool(tmp_path)
    open_before = open_files()
    assert sorted(recover_all(spool)) == sorted(jobs)
    assert open_files() == open_before + 1
    assert len(list(tmp_path.iterdir())) == 1
    spool.close()
    assert sorted(recovered(tmp_path)) == sorted(jobs)


def test_a_file_that_cannot_be_copied_is_held_until_it_is_answered(tmp_path: Path) -> None:
    """On a full disk: one file at a time, and each of them makes room."""
    for job_id in ("a", "b", "c"):
        spool_of_ended_process(tmp_path, job_id)
    spool = FileSpool(tmp_path)
    portions, open_before = [], open_files()
    with file_size_limit(0):
        while spool.has_more:
            portions.append(recover_all(spool))
            assert open_files() == open_before + 2
            spool.clear()
    assert sorted(portions) == [["a"], ["b"], ["c"]]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_file_is_replaced_before_another_is_copied_into_it(tmp_path: Path) -> None:
    """It may be full of answered reports, and no unanswered one is lost."""
    spool_of_ended_process(tmp_path, "recovered")
    spool = FileSpool(tmp_path, bytes_max=1)
    spool.append(report("answered"), [report("answered")])
    assert recover_all(spool, report("unanswered")) == ["recovered"]
    spool.close()
    assert sorted(recovered(tmp_path)) == ["recovered", "unanswered"]


def test_zeros_at_the_end_of_a_file_are_no_reports(tmp_path: Path) -> None:
    """Some file systems leave them after a power loss."""
    spool_of_ended_process(tmp_path, "a")
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    file.write_bytes(file.read_bytes() + bytes(4096))
    assert recovered(tmp_path) == ["a"]
