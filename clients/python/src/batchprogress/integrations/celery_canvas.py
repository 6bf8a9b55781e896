"""The tasks of a Celery canvas: a group, a chord, a chain or a task. Nothing is published here."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from celery import Signature, chord, group
from celery.app.task import Context
from celery.canvas import _chain, chunks, maybe_signature

from batchprogress.integrations.job_ids import (
    ATTEMPTS_BEFORE_KEY,
    BATCH_KEY,
    ENQUEUED_KEY,
    check_job_ids,
    job_ids,
)

CHUNKS = "celery.chunks"
"""The task that publishes other tasks for chunks."""
MAPS = frozenset({"celery.map", "celery.starmap"})
"""The tasks that call another task for each item, one after the other."""


@dataclass(frozen=True, slots=True)
class Dependent:
    """A task of a batch that runs only if another one succeeds."""

    batch_id: str
    task_id: str
    name: str
    attempt: int
    """The number of the attempt that is not made."""
    ends_replaced: bool
    """Whether it was to end a task that has replaced itself."""


def batch_of(request: Context) -> str | None:
    """Return the batch of a task, from the headers of its message."""
    return (request.headers or {}).get(BATCH_KEY)


def name_of(request: Context, *, with_arguments: bool) -> str:
    """Return what a task does, for people: the name that Celery logs, and its arguments as Celery shows them.

    These are cut by Celery, and are what the program says if it hides some of them with `argsrepr`.
    """
    name = str(request.shadow or request.get("task") or "")
    if not with_arguments:
        return name
    kwargs = str(request.get("kwargsrepr") or "{}")
    return f"{name}{request.get('argsrepr') or '()'}{'' if kwargs == '{}' else f' {kwargs}'}"


def enqueued_time_of(request: Context) -> float:
    """Return when the batch of a task was enqueued, in seconds since 1970; 0 if the task has no batch."""
    value = (request.headers or {}).get(ENQUEUED_KEY)
    return value if isinstance(value, float) else 0.0  # whoever else writes a header must fail no task


def attempt_of(request: Context) -> int:
    """Return the number of a task's attempt, which goes on when the task replaces itself."""
    return int(request.retries) + 1 + _attempts_before(request.headers)


def _attempts_before(headers: Mapping[str, Any] | None) -> int:
    value = (headers or {}).get(ATTEMPTS_BEFORE_KEY)
    return value if isinstance(value, int) else 0  # whoever else writes a header must fail no task


def batch_jobs(canvas: Signature, batch_id: str, part: str = "") -> tuple[Signature, list[str]]:
    """Return a copy of a canvas whose tasks belong to a batch, and their ids.

    Raises:
        ValueError: it has no tasks.

    """
    jobs = tagged(canvas, batch_id, job_ids(batch_id, part), time.time())
    task_ids = [task.options["task_id"] for task in tasks_of(jobs)]
    check_job_ids(batch_id, task_ids)
    return jobs, task_ids


def tagged(
    canvas: Signature, batch_id: str, task_ids: Iterator[str], enqueued_time: float = 0.0
) -> Signature:
    """Return a copy in which every task carries the batch and has the next of the ids.

    Celery's own copy keeps a task that is in a group twice as one object.
    """
    canvas = _as_published(maybe_signature(canvas))
    copy = canvas.clone()
    if isinstance(copy, chord | group | _chain):
        copy.tasks = [tagged(task, batch_id, task_ids, enqueued_time) for task in list(canvas.tasks)]
        if isinstance(copy, chord):
            copy.body = tagged(canvas.body, batch_id, task_ids, enqueued_time)
    else:
        headers = {
            **(copy.options.get("headers") or {}),
            BATCH_KEY: batch_id,
            ENQUEUED_KEY: enqueued_time,
        }
        copy.set(headers=headers, task_id=next(task_ids))
    return copy


def _as_published(canvas: Signature) -> Signature:
    """Return chunks as the group that Celery publishes for them, and map and starmap as plain tasks.

    In a chain, chunks would be one task, which publishes that group and ends before its work. Map and starmap
    are one task, too, but versions of Celery publish them without their options, among them the id.
    """
    app = canvas._app  # noqa: SLF001  # it has no public name that may be None
    if canvas.task == CHUNKS:  # a copy of chunks is of no class of its own
        return chunks(**canvas.kwargs, app=app).group()
    if canvas.task in MAPS:
        kwargs = {**canvas.kwargs, "it": list(canvas.kwargs["it"])}
        return Signature(canvas.task, (), kwargs, dict(canvas.options), immutable=True, app=app)
    return canvas


def tasks_of(canvas: Signature) -> Iterator[Signature]:
    """Yield the tasks of a canvas; each becomes a message."""
    if not isinstance(canvas, chord | group | _chain):
        yield canvas
        return
    for one in (*canvas.tasks, *([canvas.body] if isinstance(canvas, chord) else [])):
        yield from tasks_of(one)


def dependents_of(request: Context) -> Iterator[Dependent]:
    """Yield each task of a batch that runs only if this one succeeds.

    These are the rest of its chain, and the body of its chord with everything after that.
    """
    for task in tasks_after(request.chain, request.chord):
        headers = task.options.get("headers") or {}
        if batch_id := headers.get(BATCH_KEY):
            attempt = 1 + _attempts_before(headers)
            ends_replaced = ATTEMPTS_BEFORE_KEY in headers
            yield Dependent(batch_id, task.options["task_id"], task.task, attempt, ends_replaced)


def tasks_after(chain: Iterable[Any] | None, body: Any) -> Iterator[Signature]:
    """Yield each task in the rest of a chain and in the body of a chord, and those after them."""
    for one in (*(chain or ()), *((body,) if body else ())):
        for task in tasks_of(maybe_signature(one)):
            yield task
            yield from tasks_after(task.options.get("chain"), task.options.get("chord"))
