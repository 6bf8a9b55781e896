"""Reports on disk: whole records, and one owner for each file."""

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchprogress._reporting.spool import SUFFIX, FileSpool, lock_file
from tests.unit.client.reports import report


def spool_of_ended_process(folder: Path, *job_ids: str) -> None:
    """Append reports and close the spool, as a process does that ends."""
    spool = FileSpool(folder)
    for job_id in job_ids:
        spool.append(report(job_id), [])
    spool.close()


def recovered(folder: Path) -> list[str]:
    """Return the jobs whose reports the next process recovers."""
    return [one.job_id for one in FileSpool(folder).recover()]


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
    assert [one.job_id for one in first.recover()] == ["a"]
    assert recovered(tmp_path) == []


def test_answered_reports_leave_the_disk(tmp_path: Path) -> None:
    """After clear and close the folder is empty."""
    spool_of_ended_process(tmp_path, "a")
    spool = FileSpool(tmp_path)
    spool.recover()
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
    """The bound limits how many files are recovered at once, not the first of them."""
    spool_of_ended_process(tmp_path, "a", "b")
    assert [one.job_id for one in FileSpool(tmp_path, bytes_max=1).recover()] == ["a", "b"]


def test_an_unreadable_file_hides_and_loses_no_other(tmp_path: Path) -> None:
    """The rest of the folder is recovered, and only recovered files are removed."""
    spool_of_ended_process(tmp_path, "a")
    for name in ("0", "z"):
        (tmp_path / f"{name}{SUFFIX}").mkdir()
    spool = FileSpool(tmp_path)
    assert [one.job_id for one in spool.recover()] == ["a"]
    spool.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"0{SUFFIX}", f"z{SUFFIX}"]


def test_a_folder_without_locks_keeps_no_report_and_leaks_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network folder may lack locks: reports are refused, and no file stays open or is left behind."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    spool_of_ended_process(tmp_path, "a")
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("fcntl.flock", no_locks)
    spool = FileSpool(tmp_path)
    assert spool.recover() == []
    with pytest.raises(OSError, match="No locks"):
        spool.append(report("b"), [])
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
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
    spool = FileSpool(tmp_path)
    spool.recover()
    left: list[Path] = []
    close = os.close

    def look_then_close(descriptor: int) -> None:
        left.extend(tmp_path.iterdir())
        close(descriptor)

    monkeypatch.setattr("os.close", look_then_close)
    spool.clear()
    assert left == []


def test_recovery_is_bounded(tmp_path: Path) -> None:
    """The files of many killed processes come in portions, each after the one before was answered."""
    for number in range(10):
        spool_of_ended_process(tmp_path, f"job-{number}")
    size = next(tmp_path.glob(f"*{SUFFIX}")).stat().st_size
    spool = FileSpool(tmp_path, bytes_max=4 * size)
    portions: list[list[str]] = []
    while not portions or spool.has_more:
        portions.append([one.job_id for one in spool.recover()])
        spool.clear()
    assert [len(portion) for portion in portions] == [4, 4, 2]
    assert len({job_id for portion in portions for job_id in portion}) == 10
    assert list(tmp_path.iterdir()) == []
