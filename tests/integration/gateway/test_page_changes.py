"""Batches are changed by the page of the gateway itself, and by programs, but by no other website."""

import json

import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings
from tests.support.gateway import PROGRESS, Door, gateway
from tests.support.progress import Served

CANCEL = f"/{PROGRESS}/CancelBatch"
BODY = json.dumps({"batchId": "b"}).encode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "HTTPS://127.0.0.1"}, 200),
        ({"origin": "https://public.example", "sec_fetch_site": "same-origin"}, 200),
        ({"origin": "https://public.example", "sec_fetch_site": "cross-site"}, 403),
        ({"origin": "http://127.0.0.1:8081"}, 403),
        ({"origin": "http://127.0.0.1.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
    ],
)
async def test_no_other_website_changes_a_batch(
    progress: Served, door: Door, headers: dict[str, str], status: int
) -> None:
    """Even if a proxy adds a token to its requests."""
    await progress.create("b", 1)
    answer = await door.post(CANCEL, BODY, **headers)
    assert answer.status == status
    state = (await progress.get("b")).state
    assert (state == 3) is (status == 200)
    if status == 403:
        assert "GATEWAY_CORS_ORIGINS" in answer.json["message"]


async def test_website_in_the_setting_changes_batches(progress: Served) -> None:
    await progress.create("b", 1)
    async with gateway(f"127.0.0.1:{progress.port}", cors_origins="https://app.example") as door:
        assert (await door.post(CANCEL, BODY, origin="https://app.example")).status == 200
        assert (await door.post(CANCEL, BODY, origin="https://other.example")).status == 403


async def test_every_website_in_the_setting_may_still_read(door: Door) -> None:
    """A read changes nothing; browsers keep its answer from other websites."""
    answer = await door.post(f"/{PROGRESS}/ListBatches", b"{}", origin="https://other.example")
    assert answer.status == 200


@pytest.mark.parametrize("changes", [True, False])
async def test_page_is_told_whether_it_changes_batches(changes: bool) -> None:  # noqa: FBT001
    async with gateway("127.0.0.1:1", page_changes=changes) as door:
        assert (await door.send("GET", "/page.json")).json["changes"] is changes


@pytest.mark.parametrize("other", [{"read_only": True}, {"cors_origins": "*"}])
def test_changes_exclude_settings_that_contradict_them(other: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="GATEWAY_PAGE_CHANGES"):
        GatewaySettings.model_validate({"page_changes": True, **other})


@pytest.mark.parametrize(
    ("path", "root"), [("/nowhere", "./"), ("/a/b/c", "../../"), ("/a%2Fb", "./"), ("/batch/", "../")]
)
async def test_person_is_told_that_a_page_does_not_exist(closed_door: Door, path: str, root: str) -> None:
    """With links that work below any path of a proxy; programs get JSON."""
    answer = await closed_door.send("GET", path, accept="text/html,*/*")
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "No such page" in answer.body.decode()
    assert f'href="{root}static/base.css"' in answer.body.decode()
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    program = await closed_door.send("GET", path)
    assert (program.status, program.json["code"]) == (404, "unimplemented")
