"""Reads whose request is a query."""

from http import HTTPStatus
from urllib.parse import urlencode

import pytest

from tests.support.gateway import Door
from tests.support.progress import Served


async def _batches(door: Door, *parameters: tuple[str, str]) -> list[str]:
    answer = await door.send("GET", f"/v1/batches?{urlencode(parameters)}")
    assert answer.status == HTTPStatus.OK, answer.json
    return [batch["batchId"] for batch in answer.json["batches"]]


async def test_batches_are_filtered_by_the_fields_of_the_request(door: Door) -> None:
    await door.call("CreateBatch", batchId="a", totalJobs=0, sealed=True, labels={"team": "ä&b"})
    await door.call("CreateBatch", batchId="b", totalJobs=1, labels={"team": "ä&b", "kind": "import"})
    await door.call("CreateBatch", batchId="c", totalJobs=1)
    assert await _batches(door) == ["c", "b", "a"]
    assert await _batches(door, ("state", "BATCH_STATE_COMPLETED")) == ["a"]
    assert await _batches(door, ("labels[team]", "ä&b")) == ["b", "a"]
    assert await _batches(door, ("labels[team]", "ä&b"), ("labels[kind]", "import")) == ["b"]
    assert await _batches(door, ("unknown", "1")) == ["c", "b", "a"]


async def test_batches_are_read_page_by_page(door: Door, progress: Served) -> None:
    for batch_id in ("a", "b", "c"):
        await progress.create(batch_id, 1)
    first = await door.send("GET", "/v1/batches?page_size=2")
    token = first.json["nextPageToken"]
    assert await _batches(door, ("page_size", "2"), ("page_token", token)) == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        "state=DONE",
        "page_size=many",
        "page_size=1&page_size=2",
        "labels=a",
        "labels[a]=1&labels[a]=2",
        "page_size[a]=1",
        "&".join(f"x{number}=1" for number in range(101)),
        "labels[a]=%ff",
    ],
)
async def test_a_query_that_is_no_request_is_refused(closed_door: Door, query: str) -> None:
    answer = await closed_door.send("GET", f"/v1/batches?{query}")
    assert (answer.status, answer.error.reason) == (HTTPStatus.BAD_REQUEST, "MALFORMED_MESSAGE")
    assert len(answer.body) < 2_000


async def test_the_server_judges_the_values(door: Door) -> None:
    answer = await door.send("GET", "/v1/batches?page_size=-1&page_token=x")
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.error.reason == "INVALID_FIELD"
    assert "page_size" in answer.error.fields


async def test_history_of_a_batch_is_read(door: Door, progress: Served) -> None:
    batch = await progress.create("b", 2)
    answer = await door.send("GET", "/v1/batch/history?batch_id=b")
    (point,) = answer.json["points"]
    assert (point["totalJobs"], point["succeededJobs"]) == ("2", "0")
    assert point["time"] == batch.create_time.ToJsonString()
