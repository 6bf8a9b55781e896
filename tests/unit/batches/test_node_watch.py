"""The warnings about the database nodes that connections reach."""

import pytest
from structlog.testing import capture_logs

from batches.errors import DatabaseUnavailable
from batches.store import node_watch
from batches.store.node_warnings import Node, NodeWarning
from batches.store.node_watch import NodeWatch

FLUSHED, NOT_FLUSHED = "1", "2"


def node(port: int, flush: str) -> Node:
    """Return a node with this way to flush its redo log."""
    variables = {"hostname": "db", "port": str(port), "innodb_flush_log_at_trx_commit": flush}
    return Node(variables, {}, ())


class Nodes:
    """Answers to reads of a node, one after the other."""

    def __init__(self, *answers: Node | Exception | None) -> None:
        self._answers = list(answers)

    async def __call__(self) -> Node | None:
        """Return or raise the next answer."""
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_node_reached_after_a_fail_over_is_warned_of() -> None:
    watch = NodeWatch(Nodes(node(1, FLUSHED), node(2, NOT_FLUSHED)))
    await watch.check()
    assert watch.warnings == set()
    with capture_logs() as log:
        await watch.check()
    assert watch.warnings == {NodeWarning.REDO_LOG_NOT_FLUSHED}
    (line,) = log
    assert (line["node"], line["warning"]) == ("db:2", "redo_log_not_flushed")
    assert line["reason"].startswith("innodb_flush_log_at_trx_commit is 2, not 1: ")


async def test_a_warning_is_logged_once_for_each_node() -> None:
    watch = NodeWatch(Nodes(*(node(port, NOT_FLUSHED) for port in (1, 2, 1, 2))))
    with capture_logs() as log:
        for _ in range(4):
            await watch.check()
    assert [line["node"] for line in log] == ["db:1", "db:2"]


async def test_a_warning_ends_with_its_reason() -> None:
    watch = NodeWatch(Nodes(node(1, NOT_FLUSHED), node(1, FLUSHED)))
    await watch.check()
    with capture_logs() as log:
        await watch.check()
    assert watch.warnings == set()
    assert [line["event"] for line in log] == ["the database node is set up well again"]


async def test_a_node_that_is_no_longer_met_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_watch, "NODE_SECONDS_KEPT", 0.0)
    watch = NodeWatch(Nodes(node(1, NOT_FLUSHED), node(2, FLUSHED)))
    await watch.check()
    await watch.check()
    assert watch.warnings == set()


async def test_a_check_that_fails_changes_nothing() -> None:
    """An unavailable database is logged by the store, a defect once."""
    failures = (DatabaseUnavailable(), ValueError(), ValueError())
    watch = NodeWatch(Nodes(node(1, NOT_FLUSHED), *failures, None))
    await watch.check()
    with capture_logs() as log:
        for _ in range(4):
            await watch.check()
    assert watch.warnings == {NodeWarning.REDO_LOG_NOT_FLUSHED}
    assert [line["log_level"] for line in log] == ["error"]
