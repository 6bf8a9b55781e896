"""Reports on disk: whole or not at all, and never two processes at one file."""

import errno
from pathlib import Path

import pytest

from batchprogress._reporting.spool import SUFFIX, Spool
from tests.unit.client.reports import report


def kept_by(folder: Path, *job_ids: str) -> None:
    """Let a process keep reports and end."""
    spool = Spool(folder)
    for job_id in job_ids:
        spool.keep(report(job_id), [])
    spool.close()


def adopted(folder: Path) -> list[str]:
    """Return the jobs that the next process adopts."""
    return [one.job_id for one in Spool(folder).adopt()]


def test_what_a_process_has_left_is_adopted_by_the_next(tmp_path: Path) -> None:
    """Reports come back in their order, from a folder that nobody had made."""
    kept_by(tmp_path / "new", "a", "b", "c")
    assert adopted(tmp_path / "new") == ["a", "b", "c"]


def test_a_living_process_keeps_its_reports_to_itself(tmp_path: Path) -> None:
    """A file is adopted by nobody while its owner, or who adopted it first, has it open."""
    owner = Spool(tmp_path)
    owner.keep(report("a"), [])
    assert adopted(tmp_path) == []
    owner.close()
    first = Spool(tmp_path)
    assert [one.job_id for one in first.adopt()] == ["a"]
    assert adopted(tmp_path) == []


def test_what_is_settled_is_gone(tmp_path: Path) -> None:
    """After clear nothing is adopted any more, and the end leaves no file."""
    kept_by(tmp_path, "a")
    spool = Spool(tmp_path)
    spool.adopt()
    spool.keep(report("b"), [])
    spool.clear()
    spool.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost_bytes", [1, 5, 10])
def test_a_record_that_was_cut_short_is_ignored(tmp_path: Path, lost_bytes: int) -> None:
    """A worker that is killed while it writes leaves the records before."""
    kept_by(tmp_path, "a", "b", "c")
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    file.write_bytes(file.read_bytes()[:-lost_bytes])
    assert adopted(tmp_path) == ["a", "b"]


def test_bytes_that_changed_are_not_believed(tmp_path: Path) -> None:
    """A record whose checksum is another ends the reading."""
    kept_by(tmp_path, "first", "other")
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    file.write_bytes(file.read_bytes().replace(b"other", b"otter"))
    assert adopted(tmp_path) == ["first"]


def test_a_full_file_is_written_anew_with_what_is_not_settled(tmp_path: Path) -> None:
    """The spool is bounded: settled reports leave it, and no other is lost."""
    spool = Spool(tmp_path, bytes_max=200)
    for number in range(100):
        newest = [report(f"j{max(0, number - 1)}"), report(f"j{number}")]
        spool.keep(newest[-1], newest)
    spool.close()
    (file,) = tmp_path.glob(f"*{SUFFIX}")
    assert file.stat().st_size <= 200
    jobs = adopted(tmp_path)
    assert jobs[-2:] == ["j98", "j99"]


def test_a_file_that_cannot_be_read_hides_and_loses_no_other(tmp_path: Path) -> None:
    """Whatever lies in the folder: the rest is adopted, and only what was adopted is removed."""
    kept_by(tmp_path, "a")
    for name in ("0", "z"):
        (tmp_path / f"{name}{SUFFIX}").mkdir()
    spool = Spool(tmp_path)
    assert [one.job_id for one in spool.adopt()] == ["a"]
    spool.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"0{SUFFIX}", f"z{SUFFIX}"]


def test_a_folder_that_locks_no_file_leaves_nothing_open_and_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report is refused there, as on a network folder without locks, and leaves no file."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    kept_by(tmp_path, "a")
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("fcntl.flock", no_locks)
    spool = Spool(tmp_path)
    assert spool.adopt() == []
    with pytest.raises(OSError, match="No locks"):
        spool.keep(report("b"), [])
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    assert len(list(tmp_path.iterdir())) == 1


def test_no_more_is_adopted_than_memory_is_for(tmp_path: Path) -> None:
    """What many killed processes have left comes in portions, each after the one before was settled."""
    for number in range(10):
        kept_by(tmp_path, f"job-{number}")
    size = next(tmp_path.glob(f"*{SUFFIX}")).stat().st_size
    spool = Spool(tmp_path, bytes_max=4 * size)
    portions: list[list[str]] = []
    while not portions or spool.has_left_some:
        portions.append([one.job_id for one in spool.adopt()])
        spool.clear()
    assert [len(portion) for portion in portions] == [4, 4, 2]
    assert len({job_id for portion in portions for job_id in portion}) == 10
    assert list(tmp_path.iterdir()) == []
