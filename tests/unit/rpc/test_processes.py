"""When a server refuses to serve from several processes."""

import sys

import pytest

from process.configuration import EXIT_BAD_CONFIGURATION
from rpc.serving.processes import Processes
from services.progress.settings import ProgressSettings


def never(*_: object) -> int:
    """Fail: no process may be started."""
    raise AssertionError("a process was started")


def refusal(settings: ProgressSettings, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a server says that must not start."""
    with pytest.raises(SystemExit) as refused:
        Processes(settings, 2, never).run()
    assert refused.value.code == EXIT_BAD_CONFIGURATION
    return capsys.readouterr().err


def test_other_systems_than_linux_run_one_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There, the port would give all connections to one of them."""
    monkeypatch.setattr(sys, "platform", "darwin")
    said = refusal(ProgressSettings(listen="127.0.0.1:0"), capsys)
    assert "PROGRESS_PROCESSES: several processes can share a port only on Linux" in said


def test_processes_cannot_share_a_unix_socket(capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(ProgressSettings(listen="unix:/tmp/socket"), capsys)
    assert "PROGRESS_PROCESSES: processes cannot share the Unix socket of PROGRESS_LISTEN" in said
