"""A spool folder to which other users may write."""

import os
import stat
from pathlib import Path

import pytest

from batchprogress._reporting.locked_file import SUFFIX
from batchprogress._reporting.spool import READ_BYTES_MAX, FileSpool
from tests.unit.client.reports import report

NOBODY = 65_534


def recovered(folder: Path) -> list[str]:
    """Return the jobs whose reports the next process recovers."""
    spool = FileSpool(folder)
    jobs: list[str] = []
    while spool.can_recover:
        jobs += [one.job_id for one in spool.recover_next([])]
    return jobs


def leave_report(folder: Path, job_id: str) -> Path:
    """Leave a report as a process does that ends; return its file."""
    spool = FileSpool(folder)
    spool.append(report(job_id), [])
    spool.close()
    return next(folder.glob(f"*{SUFFIX}"))


def test_only_its_user_can_read_the_folder(tmp_path: Path) -> None:
    """Reports may contain personal data."""
    leave_report(tmp_path / "new/spool", "a")
    assert stat.S_IMODE((tmp_path / "new/spool").stat().st_mode) == 0o700


def test_a_pipe_in_the_folder_blocks_nobody(tmp_path: Path) -> None:
    """Nothing is read from it, and the reports of ended processes are recovered."""
    os.mkfifo(tmp_path / f"0{SUFFIX}")
    leave_report(tmp_path / "other", "a").rename(tmp_path / f"1{SUFFIX}")
    assert recovered(tmp_path) == ["a"]
    assert (tmp_path / f"0{SUFFIX}").exists()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty"])
def test_a_link_to_a_device_is_not_read(tmp_path: Path, device: str) -> None:
    """Reading /dev/zero to its end would take all memory."""
    (tmp_path / f"0{SUFFIX}").symlink_to(device)
    assert recovered(tmp_path) == []


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    """The file behind it would be deleted after its reports."""
    target = leave_report(tmp_path / "other", "a")
    (tmp_path / f"0{SUFFIX}").symlink_to(target)
    assert recovered(tmp_path) == []
    assert target.exists()


def test_a_file_of_another_user_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reports would be sent with the token of this user."""
    leave_report(tmp_path, "a")
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert recovered(tmp_path) == []


def test_a_file_that_no_process_of_ours_wrote_is_not_read(tmp_path: Path) -> None:
    """A file has at most SPOOL_BYTES_MAX; a larger one would fill the memory."""
    file = leave_report(tmp_path, "a")
    os.truncate(file, READ_BYTES_MAX + 1)
    assert recovered(tmp_path) == []
