"""A server in memory, for the tests of programs that report to Batch Progress.

    from batchprogress import testing

    def test_import_reports_every_row():
        with testing.server() as server:
            run_import(server.target)
            assert server.client.get("import").succeeded_jobs == 3

`batchprogress.testing.pytest_plugin` has the same as a fixture of pytest.
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

import batchprogress
from batchprogress import _green_threads
from batchprogress._grpc import forks
from batchprogress.client import Client
from batchprogress.errors import GrpcUnusable
from batchprogress.testing._memory import Memory
from batchprogress.testing._notify_hosts import NotifyHosts
from batchprogress.testing._operations import MemoryOperationsServicer
from batchprogress.testing._servicer import (
    MemoryProgressServicer,
    RefuseUnknownCalls,
)
from batchprogress.v1 import operations_pb2_grpc, progress_pb2_grpc

CALLS_MAX = 200
"""Calls at a time, each with a thread of its own that is started when it is needed; a watch is a call."""
STOP_SECONDS_MAX = 5.0
"""How long the calls may take to end by themselves: if they are cut, gRPC writes lines to standard error."""

__all__ = ["Server", "server"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server in memory that runs."""

    target: str
    """Its address, host:port: what Client, Reporter and the others take."""
    client: Client
    """A client of it, which is closed when the server stops."""


@contextmanager
def server(*, notify_hosts: Iterable[str] = ()) -> Iterator[Server]:
    """Serve batches from the memory of this process while the context is open.

    The server answers as the real one does: the same rules, the same errors, over gRPC on a free port of this
    machine. It has no database and no reconciler, sends no webhooks, shows no rates and no stalls, and lets
    everybody in. The calls of processes that are forked or started meanwhile reach it, too.

    Args:
        notify_hosts: the hosts to which the notify_url of a batch may lead, as in PROGRESS_NOTIFY_HOSTS.
            Default: none, and each notify_url is refused, as by a server without that setting.

    Yields:
        The address of the server, and a client.

    Raises:
        ValueError: an entry of notify_hosts is not a host.
        GrpcUnusable: gevent or eventlet has patched this process, or it was forked after a call of gRPC.

    Example:
        >>> with server() as running:
        ...     batch = running.client.create("b", 1)
        ...     with Reporter(running.target, "b") as reporter:
        ...         reporter.succeeded("1")
        ...     print(running.client.get("b").state)
        completed

    """
    if _green_threads.library() or forks.is_forked_after_use():
        raise GrpcUnusable(
            "this process cannot serve: gevent or eventlet has patched it, or it was forked after a call of"
            " gRPC. Start the server in another process, and pass its target."
        )
    memory, stopped, allowed = Memory(), threading.Event(), NotifyHosts(notify_hosts)
    threads = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="batchprogress-testing")
    with forks.use():
        running = forks.keep(grpc.server(threads, [], [RefuseUnknownCalls()], [("grpc.so_reuseport", 0)]))
        progress_pb2_grpc.add_ProgressServiceServicer_to_server(
            MemoryProgressServicer(memory, allowed, lambda: not stopped.is_set()), running
        )
        operations_pb2_grpc.add_OperationsServiceServicer_to_server(
            MemoryOperationsServicer(batchprogress.__version__), running
        )
        port = running.add_insecure_port("127.0.0.1:0")
        running.start()
    target = f"127.0.0.1:{port}"
    try:
        with Client(target) as client:
            yield Server(target, client)
    finally:
        stopped.set()
        memory.wake()
        running.stop(STOP_SECONDS_MAX).wait()
        threads.shutdown(wait=False)
