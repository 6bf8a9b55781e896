"""Many batches as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from batches import pace
from batches.store import schema
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from services.gateway.live import selection_topic
from services.progress import selection, selection_hub
from tests.integration.gateway.conftest import Serve
from tests.integration.security.conftest import Tokens
from tests.support.events import Event, path_events
from tests.support.gateway import Door, gateway
from tests.support.progress import Served

PATH = "/v1/batches/events"
NEVER_SECONDS = 1e9


def watched(
    door: Door, query: str = "", **headers: str
) -> AbstractAsyncContextManager[AsyncGenerator[Event, None]]:
    """View a selection."""
    return path_events(door, PATH + query, **headers)


async def first(found: AsyncGenerator[Event, None]) -> tuple[list[str], Event]:
    """Return the ids of the first states, and the event that follows them."""
    ids: list[str] = []
    async for event in found:
        if event.name == "live":
            return ids, event
        ids.append(event.json["batchId"])
    raise AssertionError("the stream has ended")


async def until(found: AsyncGenerator[Event, None], name: str, batch_id: str) -> Any:
    """Return the data of the next event of a batch."""
    async for event in found:
        if event.name == name and event.json["batchId"] == batch_id:
            return event.json
    raise AssertionError("the stream has ended")


async def test_changes_of_all_batches_are_sent(door: Door, progress: Served) -> None:
    for batch_id in ("a", "b"):
        await progress.create(batch_id, 2)
    async with watched(door) as found:
        ids, live = await first(found)
        assert (ids, live.json) == (["b", "a"], {"resumed": False})
        await progress.create("c", 1)
        assert (await until(found, "batch", "c"))["totalJobs"] == "1"
        await progress.report("c", "1")
        assert (await until(found, "batch", "c"))["state"] == "BATCH_STATE_COMPLETED"
    async with watched(door) as found:
        assert (await first(found))[0] == ["b", "a"]


async def test_state_is_the_batch_that_a_read_returns(door: Door, progress: Served) -> None:
    await progress.create("b", 2)
    async with watched(door) as found:
        shown = (await anext(found)).json
    assert (await door.send("GET", "/v1/batch?batch_id=b")).json == {"batch": shown}


async def test_only_batches_of_the_selection_are_sent(door: Door, progress: Served) -> None:
    for batch_id, team in (("x/1", "billing"), ("x/2", "media"), ("y/1", "billing")):
        request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=1, labels={"team": team})
        await progress.stub.CreateBatch(request)
    async with watched(door, "?labels[team]=billing&batch_id_prefix=x/") as found:
        assert (await first(found))[0] == ["x/1"]


async def test_viewer_that_comes_back_is_sent_what_has_ended(door: Door, progress: Served) -> None:
    for batch_id in ("a", "b"):
        await progress.create(batch_id, 1)
    async with watched(door) as found:
        known = (await first(found))[1].event_id
    assert known
    await progress.report("a", "1")
    async with watched(door, last_event_id=known) as found:
        ids, live = await first(found)
    assert (ids, live.json) == (["b", "a"], {"resumed": True})


async def test_viewer_of_another_gateway_is_sent_what_has_ended(progress: Served) -> None:
    await progress.create("a", 1)
    target = f"127.0.0.1:{progress.port}"
    async with gateway(target) as door, watched(door) as found:
        known = (await first(found))[1].event_id
    assert known
    await progress.report("a", "1")
    async with gateway(target) as door, watched(door, last_event_id=known) as found:
        ids, live = await first(found)
    assert (ids, live.json) == (["a"], {"resumed": True})


async def test_viewer_with_an_unknown_position_is_told_that_it_may_have_missed_ends(
    door: Door, progress: Served
) -> None:
    await progress.create("a", 1)
    async with watched(door, last_event_id="of nobody") as found:
        ids, live = await first(found)
    assert (ids, live.json) == (["a"], {"resumed": False})


async def test_viewers_are_told_of_a_stall(
    door: Door, progress: Served, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch brings none, since a stall changes no revision."""
    monkeypatch.setattr(selection_topic, "STALLS_SECONDS", 0.05)
    await progress.create("a", 2)
    await progress.report("a", "1")
    await let_time_pass(sqlite_url, "a")
    not_yet = pytest.MonkeyPatch()
    for name in ("STALL_SECONDS_MIN", "STALL_SECONDS_MAX"):
        not_yet.setattr(pace, name, NEVER_SECONDS)
    try:
        async with watched(door) as found, watched(door) as others:
            for one in (found, others):
                assert not (await anext(one)).json["stallReason"]
                await first(one)
            not_yet.undo()
            for one in (found, others):
                assert (await until(one, "batch", "a"))["stallReason"]
    finally:
        not_yet.undo()


async def let_time_pass(database_url: str, batch_id: str) -> None:
    """Make a batch look as after an hour without a result."""
    table = schema.batches
    database = Database(database_url, connections_max=1)
    async with database.engine.begin() as connection:
        row = (await connection.execute(select(table.c.last_result_time))).one()
        moved = {"last_result_time": row.last_result_time - timedelta(hours=1)}
        await connection.execute(update(table).where(table.c.batch_id == batch_id).values(moved))
    await database.close()


@pytest.mark.parametrize(
    "query", ["?labels[]=x", "?batch_id_prefix=a%20b", "?labels=x", "?batch_id_prefix=%ff"]
)
async def test_impossible_selection_is_refused(door: Door, query: str) -> None:
    answer = await door.send("GET", PATH + query)
    assert answer.status == HTTPStatus.BAD_REQUEST


async def test_server_that_is_away_is_told_before_a_stream_begins(closed_door: Door) -> None:
    answer = await closed_door.send("GET", PATH)
    assert (answer.status, answer.error.reason) == (HTTPStatus.SERVICE_UNAVAILABLE, "SERVER_UNREACHABLE")
    async with watched(closed_door, last_event_id="p") as found:
        assert [event.name async for event in found] == ["problem"]


async def test_viewers_and_selections_are_bounded(progress: Served) -> None:
    limits = {"batch_viewers_max": 1, "selections_max": 1}
    async with gateway(f"127.0.0.1:{progress.port}", **limits) as door, watched(door) as found:
        await first(found)
        refused = [await door.send("GET", PATH + query) for query in ("", "?labels[a]=b")]
    assert [(one.status, one.error.reason) for one in refused] == 2 * [(429, "GATEWAY_BUSY")]


@pytest.mark.more("waits for servers")
async def test_each_viewer_sees_the_batches_of_its_own_token(
    serve: Serve, tokens: Tokens, tmp_path: Path
) -> None:
    """That all are watched with the gateway's own opens them to nobody else."""
    own = tmp_path / "token"
    own.write_text(tokens.add("gateway", Role.READER), encoding="ascii")
    operator = tokens.add("creator", Role.OPERATOR)
    ann = f"Bearer {tokens.add('ann', Role.READER, prefix='team-a/')}"
    bob = f"Bearer {tokens.add('bob', Role.WORKER)}"
    async with serve(tokens_file=tokens.path) as server:
        settings = {"token_file": own, "anonymous_reads": False}
        async with gateway(f"127.0.0.1:{server.port}", **settings) as door:
            creator = Door(door.port, headers={"authorization": f"Bearer {operator}"})
            for batch_id in ("team-a/1", "team-b/1"):
                await creator.call("CreateBatch", batchId=batch_id, totalJobs=1)
            async with watched(door, authorization=ann) as found:
                assert (await first(found))[0] == ["team-a/1"]
            answers = [
                await door.send("GET", PATH, authorization=bob),
                await door.send("GET", PATH, authorization="Bearer wrong"),
                await door.send("GET", f"{PATH}?batch_id_prefix=team-b/", authorization=ann),
            ]
    assert [one.status for one in answers] == [403, 401, 403]


async def test_more_batches_than_a_watch_may_have_are_refused(
    door: Door, progress: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "SELECTED_MAX", 1)
    monkeypatch.setattr(selection_hub, "SELECTED_MAX", 1)
    for batch_id in ("a", "b"):
        await progress.create(batch_id, 1)
    answer = await door.send("GET", PATH)
    assert (answer.status, answer.error.reason) == (HTTPStatus.BAD_REQUEST, "TOO_MANY_BATCHES")
