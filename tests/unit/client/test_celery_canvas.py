"""Which tasks a canvas is made of, and what each carries."""

import pytest
from celery import Celery, Signature, chain, chord, group
from celery.app.task import Context

from batchprogress.integrations.celery_canvas import batch_of, tagged, tasks_after, tasks_of
from batchprogress.integrations.job_ids import BATCH_KEY, job_ids

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
    """Also one that stands twice; the canvas itself is left as it was."""
    before = repr(dict(canvas)) if not isinstance(canvas, group) else ""
    tasks = list(tasks_of(tagged(canvas, "b", job_ids("b"))))
    assert "".join(one.task for one in tasks) == names
    assert [one.options["headers"][BATCH_KEY] for one in tasks] == ["b"] * len(names)
    assert len({one.options["task_id"] for one in tasks}) == len(names)
    assert BATCH_KEY not in before
    assert not any("headers" in one.options for one in tasks_of(canvas))


def test_a_canvas_that_is_made_again_has_the_same_ids() -> None:
    """So a batch that was half published is published again; another batch or part has other ids."""

    def ids(batch_id: str, part: str = "") -> list[str]:
        canvas = tagged(group(task("a"), task("b")), batch_id, job_ids(batch_id, part))
        return [one.options["task_id"] for one in tasks_of(canvas)]

    assert ids("b") == ids("b")
    assert not {*ids("b")} & {*ids("c")}
    assert not {*ids("b")} & {*ids("b", "1")}


def test_own_headers_of_a_task_stay() -> None:
    """The batch comes beside them."""
    [one] = tasks_of(tagged(task("a").set(headers={"tenant": "x"}), "b", job_ids("b")))
    assert one.options["headers"] == {"tenant": "x", BATCH_KEY: "b"}


def test_after_a_task_come_the_rest_of_its_chain_and_the_body_of_its_chord() -> None:
    """With what comes after these, and without tasks that are of no batch."""
    rest = tagged(task("a"), "b", iter(["1"]))
    body = tagged(task("c"), "b", iter(["2"])).set(chain=[dict(tagged(task("d"), "b", iter(["3"])))])
    request = Context({"chain": [dict(task("plain")), dict(rest)], "chord": dict(body)})
    assert sorted(tasks_after(request)) == [("b", "1"), ("b", "2"), ("b", "3")]
    assert list(tasks_after(Context({}))) == []


def test_a_task_knows_its_batch_by_the_headers_of_its_message() -> None:
    """And a task without has none."""
    assert batch_of(Context({"id": "1", "task": "a", BATCH_KEY: "b"})) == "b"
    assert batch_of(Context({"id": "1", "task": "a"})) is None
