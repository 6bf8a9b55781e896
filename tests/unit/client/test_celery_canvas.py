"""The tasks of a canvas, and what each of them carries."""

import pytest
from celery import Celery, Signature, chain, chord, group
from celery.app.task import Context
from celery.canvas import chunks, xmap, xstarmap

from batchprogress.integrations.celery_canvas import (
    batch_of,
    dependents_of,
    enqueued_time_of,
    name_of,
    tagged,
    tasks_of,
)
from batchprogress.integrations.job_ids import BATCH_KEY, ENQUEUED_KEY, job_ids

app = Celery("unit", broker="memory://")


def task(name: str) -> Signature:
    """Return a task of a name."""
    return app.signature(name)


@pytest.mark.parametrize(
    ("canvas", "names"),
    [
        (task("a"), "a"),
        (group(task("a"), task("b")), "ab"),
        (group([task("a")] * 3), "aaa"),
        (group(task(name) for name in "abc"), "abc"),
        (chain(task("a"), task("b"), task("c")), "abc"),
        (chord([task("a"), task("b")], task("c")), "abc"),
        (chord([task("a"), task("b")], task("c") | task("d")), "abcd"),
        (chain(task("a"), group(task("b"), task("c")), task("d")), "abcd"),
        (group(group(task("a"), task("b")), chain(task("c"), task("d"))), "abcd"),
        (group(chord([task("a")], task("b")), chord([task("c") | task("d")], task("e"))), "abcde"),
    ],
)
def test_every_task_of_a_canvas_carries_the_batch_and_an_id_of_its_own(canvas: Signature, names: str) -> None:
    """A task that is in the canvas twice gets two ids; the canvas itself does not change."""
    before = repr(dict(canvas)) if not isinstance(canvas, group) else ""
    tasks = list(tasks_of(tagged(canvas, "b", job_ids("b"))))
    assert "".join(one.task for one in tasks) == names
    assert [one.options["headers"][BATCH_KEY] for one in tasks] == ["b"] * len(names)
    assert len({one.options["task_id"] for one in tasks}) == len(names)
    assert BATCH_KEY not in before
    assert not any("headers" in one.options for one in tasks_of(canvas))


ROWS = [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("canvas", "rows"),
    [
        (chunks(task("a"), iter(ROWS), 2), [[(1,), (2,)], [(3,)]]),
        (group(chunks(task("a"), ROWS, 2), chunks(task("a"), ROWS, 3)), [[(1,), (2,)], [(3,)], ROWS]),
        (chain(chunks(task("a"), ROWS, 1), xstarmap(task("a"), ROWS)), [[(1,)], [(2,)], [(3,)], ROWS]),
        (chord([chunks(task("a"), ROWS, 3)], chunks(task("a"), ROWS, 2)), [ROWS, [(1,), (2,)], [(3,)]]),
        (group([dict(chunks(task("a"), ROWS, 2))]), [[(1,), (2,)], [(3,)]]),
        (chunks(task("a"), [], 2), []),
    ],
)
def test_chunks_are_the_starmaps_that_do_their_work(canvas: Signature, rows: list[object]) -> None:
    """As one task they would end as soon as they have published the starmaps, which nobody counts."""
    tasks = list(tasks_of(tagged(canvas, "b", job_ids("b"))))
    assert [one.task for one in tasks] == ["celery.starmap"] * len(rows)
    assert [one.kwargs["it"] for one in tasks] == rows
    assert [one.kwargs["task"]["task"] for one in tasks] == ["a"] * len(rows)
    assert [one.options["headers"][BATCH_KEY] for one in tasks] == ["b"] * len(rows)


@pytest.mark.parametrize("kind", [xmap, xstarmap])
def test_a_map_is_one_task_with_its_own_options(kind: type[Signature]) -> None:
    [one] = tasks_of(tagged(kind(task("a"), iter(ROWS)).set(queue="slow"), "b", job_ids("b")))
    assert (one.kwargs["it"], one.options["queue"], one.immutable) == (ROWS, "slow", True)
    assert type(one) is Signature


def test_the_same_canvas_gets_the_same_ids_again() -> None:
    """A half-published batch can be published again; another batch or part has other ids."""

    def ids(batch_id: str, part: str = "") -> list[str]:
        canvas = tagged(group(task("a"), task("b")), batch_id, job_ids(batch_id, part))
        return [one.options["task_id"] for one in tasks_of(canvas)]

    assert ids("b") == ids("b")
    assert not {*ids("b")} & {*ids("c")}
    assert not {*ids("b")} & {*ids("b", "1")}


def test_a_task_keeps_its_own_headers() -> None:
    """The batch is added to them."""
    [one] = tasks_of(tagged(task("a").set(headers={"tenant": "x"}), "b", job_ids("b"), 5.0))
    assert one.options["headers"] == {"tenant": "x", BATCH_KEY: "b", ENQUEUED_KEY: 5.0}
    assert (one.options["headers"][ENQUEUED_KEY]) == enqueued_time_of(Context(one.options["headers"]))


def test_the_rest_of_its_chain_and_the_body_of_its_chord_depend_on_a_task() -> None:
    """Everything after these depends on it too; tasks without a batch are left out."""
    rest = tagged(task("a"), "b", iter(["1"]))
    body = tagged(task("c"), "b", iter(["2"])).set(chain=[dict(tagged(task("d"), "b", iter(["3"])))])
    request = Context({"chain": [dict(task("plain")), dict(rest)], "chord": dict(body)})
    found = sorted((one.batch_id, one.task_id, one.name) for one in dependents_of(request))
    assert found == [("b", "1", "a"), ("b", "2", "c"), ("b", "3", "d")]
    assert list(dependents_of(Context({}))) == []


def test_the_arguments_of_a_task_are_named_only_if_asked() -> None:
    """They are Celery's own description, which a program may replace to hide them."""
    headers = {"id": "1", "task": "sync_row", "argsrepr": "(17,)", "kwargsrepr": "{'dry_run': True}"}
    request = Context({**headers, "args": [17, "a secret"]})
    assert name_of(request, with_arguments=False) == "sync_row"
    assert name_of(request, with_arguments=True) == "sync_row(17,) {'dry_run': True}"
    request = Context({"task": "sync_row", "argsrepr": "(17,)", "kwargsrepr": "{}", "shadow": "sync"})
    assert name_of(request, with_arguments=True) == "sync(17,)"
    assert name_of(Context({}), with_arguments=True) == "()"


def test_the_batch_of_a_task_is_in_the_headers_of_its_message() -> None:
    """A task without the header has no batch."""
    assert batch_of(Context({"id": "1", "task": "a", BATCH_KEY: "b"})) == "b"
    assert batch_of(Context({"id": "1", "task": "a"})) is None
