"""A batch without a queue: a function over many items in a pool of processes or threads."""

import contextvars
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TextIO, TypeVar

from batchprogress._calls.attempts import CALL_SECONDS_MAX
from batchprogress._calls.creation import IfEnded
from batchprogress._disabled import is_disabled
from batchprogress._grpc.connection import Credentials, Token
from batchprogress._limits import IDENTIFIER, IDENTIFIER_RULE
from batchprogress.client import Client
from batchprogress.errors import ProgressError, Unavailable
from batchprogress.progress_bar import Showing
from batchprogress.reporter import Reporter

CREATE_SECONDS_MAX = CALL_SECONDS_MAX
"""How long the jobs wait for their batch while the server is away."""
END_SECONDS_MAX = 5.0
"""How long the end of the jobs waits for the answers to their reports and for the last state of the bar: as
long as the exit of a process."""

_log = logging.getLogger("batchprogress")

Item = TypeVar("Item")
Result = TypeVar("Result")


def map(  # noqa: A001, PLR0913  # as the builtin; options, by keyword only
    executor: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    batch_id: str | None = None,
    target: str = "127.0.0.1:50051",
    job_id: Callable[[Item], str] | None = None,
    display_name: str = "",
    labels: Mapping[str, str] | None = None,
    if_ended: IfEnded = "error",
    max_failed_jobs: int | None = None,
    max_failed_percent: int | None = None,
    return_exceptions: bool = False,
    bar: bool = True,
    file: TextIO | None = None,
    credentials: Credentials | None = None,
    token: Token | None = None,
) -> list[Result]:
    """Run a function over items in a pool, as a batch with a bar; return the results in order.

    Each item is a job of a sealed batch. All jobs run to their end, also after a failure. This process
    reports how each ended, so that the function and its workers need nothing of this package. If a worker
    dies, the pool ends all jobs that are left with an exception, for example BrokenProcessPool: they are
    reported as failed, and the batch ends. If this call is interrupted (KeyboardInterrupt), or the batch is
    cancelled meanwhile, the jobs that have not begun never run and are reported as skipped.

    Args:
        executor: a pool of concurrent.futures, or what has its `submit`, such as loky's of joblib. It stays
            open.
        function: called with one item; a pool of processes pickles it.
        items: the items.
        batch_id: the new batch. Default: a new UUID.
        target: host:port of the server, or any gRPC name.
        job_id: returns the id of the job of an item: 1 to 128 printable ASCII characters without spaces.
            Default: its place in the items, from 0.
        display_name: a name of the batch for people.
        labels: labels to find batches by.
        if_ended: what to do if the batch exists and has ended, as in `Client.create`.
        max_failed_jobs: how many jobs may fail: one more cancels the batch.
        max_failed_percent: instead, which share of the jobs may fail, 0 to 99.
        return_exceptions: put the exceptions of failed jobs among the results instead of raising one.
        bar: whether to show the bar of `batchprogress.bar`.
        file: where to show it. Default: standard error.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Default: plaintext.
        token: a bearer token, or a function that returns the current one.

    Returns:
        The results, in the order of the items.

    Raises:
        Exception: that of the first failed job in the order of the items, once all jobs have ended.
        ValueError: job_id returned one id for two items, or what cannot be an id; no job was run.
        BatchEnded: the batch exists and has ended; no job was run.
        CallFailed: the server refused the batch, for example BatchConflict; no job was run. If the server is
            away (Unavailable), that is logged, and the jobs run without progress.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(4) as executor:
        ...     lengths = batchprogress.map(executor, len, ["a", "bc"], target="progress:50051")
        >>> print(lengths)
        [1, 2]

    """
    jobs = _named(list(items), job_id)
    with ExitStack() as stack:
        client = stack.enter_context(
            Client(target, credentials=credentials, token=token, timeout=CREATE_SECONDS_MAX)
        )
        chosen_id = batch_id or str(uuid.uuid4())
        try:
            client.create(
                chosen_id,
                len(jobs),
                display_name=display_name,
                labels=labels,
                if_ended=if_ended,
                max_failed_jobs=max_failed_jobs,
                max_failed_percent=max_failed_percent,
            )
        except Unavailable as error:  # no progress is no reason for no work
            _log.warning("the jobs run without progress: %s", error)
        else:
            if bar and not is_disabled():
                stack.enter_context(_in_background(Showing(target, chosen_id, file, client.connection)))
        reporter = Reporter(target, chosen_id, credentials=credentials, token=token)
        stack.callback(reporter.close, END_SECONDS_MAX)
        futures = _Run(executor, reporter, lambda: client.cancel(chosen_id)).futures_of(function, jobs)
    return [_result(future, return_exceptions=return_exceptions) for future in futures]


def _named(items: list[Item], job_id: Callable[[Item], str] | None) -> dict[str, Item]:
    """Return the items by the ids of their jobs.

    Raises:
        ValueError: two items have the same id, or the server would refuse one, and the batch would never end.

    """
    jobs: dict[str, Item] = {}
    for place, item in enumerate(items):
        name = str(place) if job_id is None else job_id(item)
        if not isinstance(name, str) or IDENTIFIER.fullmatch(name) is None:
            what = f"job_id returned {name!r} for item {place}"
            raise ValueError(f"{what}: nothing was run; return a string of {IDENTIFIER_RULE}")
        if name in jobs:
            raise ValueError(f"two items have the job id {name!r}: nothing was run; give each its own")
        jobs[name] = item
    return jobs


class _Run:
    """Runs the jobs of a batch and reports each when it has ended.

    Args:
        executor: the pool.
        reporter: reports the jobs.
        cancel_batch: ends the batch when it is interrupted.

    """

    def __init__(self, executor: Executor, reporter: Reporter, cancel_batch: Callable[[], object]) -> None:
        self._executor = executor
        self._reporter = reporter
        self._cancel_batch = cancel_batch
        self._reported: SimpleQueue[None] = SimpleQueue()
        """Has an entry for each job that was reported."""
        self._is_cancelled = False
        self._futures: list[Future[Any]] = []

    def futures_of(self, function: Callable[[Item], Result], items: Mapping[str, Item]) -> list[Any]:
        """Run all jobs; return their futures, all done and reported, in the order of the items."""
        try:
            for job_id, item in items.items():
                self._start(job_id, function, item)
            for _ in items:
                self._reported.get()
        except BaseException:  # an interrupt: the batch ends without the jobs that are left
            with suppress(ProgressError):
                self._cancel_batch()
            self._cancel_jobs()
            # Nobody knows whether the job at which the interrupt came was submitted: it stays pending.
            for job_id in list(items)[len(self._futures) + 1 :]:
                self._reporter.skipped(job_id)
            raise
        return self._futures

    def _start(self, job_id: str, function: Callable[[Item], Result], item: Item) -> None:
        future = _submitted(self._executor, function, item)
        self._futures.append(future)
        # Not by as_completed: it would report nothing before the last job is submitted.
        future.add_done_callback(lambda ended: self._report(job_id, ended))
        if self._is_cancelled:
            future.cancel()

    def _report(self, job_id: str, future: "Future[Any]") -> None:
        if future.cancelled():
            self._reporter.skipped(job_id)
        elif error := future.exception():
            self._reporter.failed(job_id, error)
        else:
            self._reporter.succeeded(job_id)
        if self._reporter.is_cancelled():
            self._cancel_jobs()
        self._reported.put(None)

    def _cancel_jobs(self) -> None:
        """Cancel all jobs that have not begun; later ones are cancelled as they are submitted."""
        if not self._is_cancelled:
            self._is_cancelled = True
            for future in tuple(self._futures):
                future.cancel()


def _submitted(executor: Executor, function: Callable[[Item], Result], item: Item) -> "Future[Result]":
    """Submit a job; a pool that is broken or shut down refuses it, and then it has failed."""
    try:
        return executor.submit(function, item)
    except RuntimeError as error:
        refused: Future[Result] = Future()
        refused.set_exception(error)
        return refused


def _result(future: "Future[Result]", *, return_exceptions: bool) -> Any:
    """Return the result of a job, or raise its exception."""
    error = CancelledError() if future.cancelled() else future.exception()
    if error is None:
        return future.result()
    if return_exceptions:
        return error
    raise error


@contextmanager
def _in_background(showing: Showing) -> Iterator[None]:
    """Show a bar from a thread while the context is open, and for END_SECONDS_MAX after it."""
    # In this context: a notebook's tells which cell an output belongs to.
    context = contextvars.copy_context()
    thread = Thread(target=context.run, args=(showing.run_quietly,), name="batchprogress-map", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(END_SECONDS_MAX)
        showing.close()
        thread.join(END_SECONDS_MAX)
