"""Batches as server-sent events."""

from http import HTTPStatus

import pytest

from tests.support.events import events, path_of, viewed
from tests.support.eventually import eventually
from tests.support.gateway import PROGRESS, Door, gateway
from tests.support.progress import Served


async def test_a_batch_is_viewed_to_its_end(door: Door, progress: Served) -> None:
    await progress.create("b", 2)
    async with events(door, "b") as found:
        first = await anext(found)
        assert (first.name, first.json["pendingJobs"], first.event_id) == ("batch", "2", "1")
        await progress.report("b", "1")
        assert (await anext(found)).json["percentComplete"] == 50
        await progress.report("b", "2")
        last, end = [event async for event in found]
    assert (last.name, last.json["state"]) == ("batch", "BATCH_STATE_COMPLETED")
    assert (end.name, end.json) == ("ended", {"state": "BATCH_STATE_COMPLETED"})


async def test_an_event_is_the_batch_that_a_read_returns(door: Door, progress: Served) -> None:
    await progress.create("b", 2)
    async with events(door, "b") as found:
        shown = (await anext(found)).json
    answer = await door.send("GET", "/v1/batch?batch_id=b")
    assert answer.json == {"batch": shown} == (await door.call("GetBatch", batchId="b")).json


async def test_no_proxy_may_hold_events_back(door: Door, progress: Served) -> None:
    await progress.create("b", 2)
    async with viewed(door, "b") as (headers, _):
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert "content-length" not in headers


async def test_the_id_of_a_batch_may_hold_what_paths_may_not(door: Door, progress: Served) -> None:
    batch_id = "../a%2Fb?c=d&e#f+g"
    await progress.create(batch_id, 1)
    async with events(door, batch_id) as found:
        assert (await anext(found)).json["batchId"] == batch_id


async def test_a_viewer_that_comes_back_is_sent_only_what_is_new(door: Door, progress: Served) -> None:
    await progress.create("b", 2)
    async with events(door, "b") as found:
        known = (await anext(found)).event_id
    assert known is not None
    async with events(door, "b", last_event_id=known) as found:
        await progress.report("b", "1")
        assert (await anext(found)).json["percentComplete"] == 50


async def test_a_viewer_that_has_the_end_is_not_sent_it_again(door: Door, progress: Served) -> None:
    """An EventSource connects again after each stream, until it is answered 204."""
    await progress.create("b", 1)
    await progress.report("b", "1")
    async with events(door, "b") as found:
        batch, end = [event async for event in found]
    assert batch.event_id
    assert end.event_id
    answer = await door.send("GET", path_of("b"), last_event_id=end.event_id)
    assert (answer.status, answer.body) == (HTTPStatus.NO_CONTENT, b"")
    async with events(door, "b", last_event_id=batch.event_id) as found:
        assert [event async for event in found] == [batch, end]  # it may have seen another state


async def test_a_viewer_with_a_revision_that_was_lost_is_sent_the_batch(door: Door, progress: Served) -> None:
    """A fail-over of the database may lose changes that were sent."""
    await progress.create("b", 2)
    async with events(door, "b", last_event_id="50") as found:
        assert (await anext(found)).event_id == "1"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "INVALID_FIELD"),
        ("?batch_id=", "INVALID_FIELD"),
        ("?batch_id=a%20b", "INVALID_FIELD"),
        (f"?batch_id={'a' * 129}", "INVALID_FIELD"),
        ("?batch_id=%ff", "MALFORMED_MESSAGE"),
        ("?batch_id=a&batch_id=b", "MALFORMED_MESSAGE"),
        ("?batch_id[a]=b", "MALFORMED_MESSAGE"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/events"])
async def test_an_impossible_id_is_refused(door: Door, path: str, query: str, reason: str) -> None:
    answer = await door.send("GET", path + query)
    assert (answer.status, answer.error.reason) == (HTTPStatus.BAD_REQUEST, reason)


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/events"])
async def test_an_unknown_batch_is_answered_as_the_call_is(door: Door, path: str) -> None:
    answer = await door.send("GET", f"{path}?batch_id=b", x_request_id="1")
    called = await door.send(
        "POST",
        f"/{PROGRESS}/GetBatch",
        b'{"batchId": "b"}',
        content_type="application/json",
        x_request_id="1",
    )
    assert (answer.status, answer.json) == (called.status, called.json)
    assert answer.headers["content-type"] == called.headers["content-type"]


@pytest.mark.parametrize("path", ["/v1/batch?batch_id=b", "/v1/batches", "/v1/batch/events?batch_id=b"])
async def test_only_get_is_allowed(closed_door: Door, path: str) -> None:
    answer = await closed_door.post(path, b"{}")
    assert (answer.status, answer.headers["allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, "get")


async def test_a_server_that_is_away_is_told_before_a_stream_begins(closed_door: Door) -> None:
    answer = await closed_door.send("GET", path_of("b"))
    assert (answer.status, answer.error.reason) == (HTTPStatus.SERVICE_UNAVAILABLE, "SERVER_UNREACHABLE")
    assert answer.headers["retry-after"] == "1"


async def test_a_viewer_that_comes_back_while_the_server_is_away_comes_back_again(closed_door: Door) -> None:
    """An EventSource gives up for good after 503."""
    async with events(closed_door, "b", last_event_id="1") as found:
        (problem,) = [event async for event in found]
    assert (problem.name, problem.json["code"]) == ("problem", "unavailable")


async def test_the_place_of_a_viewer_that_leaves_is_free_again(progress: Served) -> None:
    await progress.create("b", 1)

    async def is_shown() -> bool:
        answer = await door.send("GET", path_of("c"))
        return answer.status == HTTPStatus.NOT_FOUND

    async with gateway(f"127.0.0.1:{progress.port}", viewers_max=1) as door:
        for _ in range(3):
            async with events(door, "b") as found:
                await anext(found)
                refused = await door.send("GET", path_of("b"))
                assert (refused.status, refused.error.reason) == (429, "GATEWAY_BUSY")
            await eventually(is_shown)


async def test_viewers_of_a_batch_and_viewed_batches_are_bounded(progress: Served) -> None:
    for batch_id in ("a", "b"):
        await progress.create(batch_id, 1)
    limits = {"batch_viewers_max": 1, "watches_max": 1}
    async with gateway(f"127.0.0.1:{progress.port}", **limits) as door, events(door, "a") as found:
        await anext(found)
        refused = [await door.send("GET", path_of(batch_id)) for batch_id in ("a", "b")]
    assert [(one.status, one.error.reason) for one in refused] == 2 * [(429, "GATEWAY_BUSY")]
