"""BATCHPROGRESS_DISABLED switches all reporting off: nothing is sent, and nothing waits or fails."""

import io
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery, group

from batchprogress import AsyncClient, AsyncReporter, BatchState, Client, Reporter, ReportNotTaken, bar
from batchprogress import _disabled as disabled
from batchprogress._grpc.connection import Connection
from batchprogress.integrations.best_effort import BestEffortClient
from batchprogress.integrations.celery import CeleryProgress
from batchprogress.integrations.relay import Relay


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a server that nobody may call, with reporting switched off."""
    monkeypatch.setenv(disabled.VARIABLE, "1")
    monkeypatch.setattr(disabled, "_logged", set())
    threads = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        assert set(threading.enumerate()) <= threads
        listener.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_disabled_reporter_accepts_and_drops_reports(target: str, tmp_path: Path) -> None:
    """It needs no server, starts no thread and writes no file."""
    with Reporter(target, "b", spool=tmp_path / "spool", strict=True) as reporter:
        reporter.succeeded("1")
        with pytest.raises(ZeroDivisionError), reporter.job("2"):
            _ = 1 // 0
        assert reporter.flush()
        assert not reporter.is_cancelled()
    assert (reporter.counts.recorded, reporter.counts.dropped, reporter.counts.pending) == (
        0,
        {"DISABLED": 2},
        0,
    )
    assert not (tmp_path / "spool").exists()


async def test_a_disabled_reporter_of_an_event_loop_accepts_and_drops_reports(target: str) -> None:
    """`flush` and `close` are done at once."""
    async with AsyncReporter(target, "b") as reporter:
        reporter.skipped("1")
        assert await reporter.flush()
    assert reporter.counts.dropped == {"DISABLED": 1}


def test_a_disabled_strict_reporter_still_refuses_mistakes(target: str) -> None:
    """A test that switches reporting off finds the mistakes that a run without the switch would."""
    reporter = Reporter(target, "b", strict=True)
    with pytest.raises(ReportNotTaken, match="bad argument type"):
        reporter.succeeded(17)  # type: ignore[arg-type]  # the mistake
    reporter.close()
    with pytest.raises(ReportNotTaken, match="closed"):
        reporter.succeeded("17")


def test_a_child_of_a_disabled_reporter_reports_nothing(target: str) -> None:
    """A fork neither hangs nor starts a thread in the child."""
    reporter = Reporter(target, "b")
    reporter.succeeded("1")
    child = os.fork()
    if not child:
        reporter.succeeded("2")
        os._exit(0 if reporter.counts.dropped == {"DISABLED": 1} and threading.active_count() == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reporter.counts.dropped == {"DISABLED": 1}


def test_a_disabled_client_returns_the_batches_as_asked_for(target: str) -> None:
    """Programs that enqueue jobs go on as if the batch had been created."""
    with Client(target) as client:
        batch = client.create("b", 3, labels={"team": "sales"}, max_failed_jobs=1)
        assert (batch.batch_id, batch.state, batch.total_jobs, batch.pending_jobs, batch.max_failed_jobs) == (
            "b",
            BatchState.PROCESSING,
            3,
            3,
            1,
        )
        assert client.create(None, 1).batch_id
        assert client.create("none", 0).state is BatchState.COMPLETED
        assert client.add_jobs("b", 5).pending_jobs == 5
        assert client.seal("b").sealed


def test_a_disabled_bar_returns_at_once(target: str) -> None:
    """A script that shows the batch that it has not created does not wait for ever."""
    out = io.StringIO()
    assert bar(target, "b", file=out).batch_id == "b"
    assert out.getvalue() == ""


async def test_a_disabled_async_client_returns_the_batches_as_asked_for(target: str) -> None:
    """As Client."""
    async with AsyncClient(target) as client:
        assert (await client.create("b", 3, sealed=False)).total_jobs == 3
        assert (await client.add_jobs("b", 5)).total_jobs == 5
        assert (await client.seal("b")).sealed


def test_the_calls_of_disabled_integrations_succeed_without_a_server(target: str) -> None:
    """Code that checks the return value takes the usual way."""
    client = BestEffortClient(Connection(target), strict=True)
    assert client.create("b", 0, sealed=False)
    assert client.add_jobs("b", 2, "part")
    assert client.seal("b")


def test_the_relay_of_a_disabled_reporter_is_not_forked(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reports are dropped in the process that makes them."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it was forked"))
    reporter = Reporter(target)
    relay = Relay(reporter)
    relay.start()
    relay.succeeded("1", batch_id="b")
    relay.close()
    assert reporter.counts.dropped == {"DISABLED": 1}


def test_celery_runs_a_disabled_batch_without_server_and_result_backend(target: str) -> None:
    """Neither is needed: only the tasks run."""
    app = Celery(broker="memory://", backend="redis://127.0.0.1:1")
    app.conf.update(task_always_eager=True, redis_socket_connect_timeout=0.1)
    rows: list[int] = []

    @app.task  # type: ignore[untyped-decorator]  # Celery's
    def append(row: int) -> None:
        rows.append(row)

    progress = CeleryProgress(app, Reporter(target, strict=True))
    progress.run("b", group(append.s(row) for row in range(3)))
    progress.add("b", append.s(3), part="more")
    assert rows == [0, 1, 2, 3]
    assert progress.reporter.counts.recorded == 0


def test_the_switch_is_logged_once(target: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever forgets the variable in production finds the reason in the log."""
    for _ in range(3):
        Reporter(target, "b").succeeded("1")
    assert caplog.messages == ["reporting is off, nothing is sent: BATCHPROGRESS_DISABLED=1"]


@pytest.mark.parametrize(
    ("value", "expected", "logged"),
    [("true", True, 1), ("0", False, 0), ("", False, 0), ("off", False, 0), ("maybe", False, 1)],
)
def test_only_a_clear_value_switches_reporting_off(
    value: str,
    expected: bool,  # noqa: FBT001  # a parameter of the test
    logged: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A typing mistake does not lose reports silently."""
    monkeypatch.setenv(disabled.VARIABLE, value)
    monkeypatch.setattr(disabled, "_logged", set())
    assert disabled.is_disabled() is expected
    assert len(caplog.messages) == logged
