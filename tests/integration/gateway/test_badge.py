"""GET /v1/batch/badge.svg in front of a real server."""

from contextlib import AbstractAsyncContextManager
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.gateway.conftest import Serve
from tests.integration.security.conftest import Tokens, bearing, key_file
from tests.support.gateway import Answer, Door, gateway
from tests.support.progress import Served

__all__ = ["key_file"]  # a fixture

PATH = "/v1/batch/badge.svg"


async def badge(door: Door, headers: dict[str, str] | None = None, /, **parameters: str) -> Answer:
    """Get a badge."""
    return await door.send("GET", f"{PATH}?{urlencode(parameters)}", b"", **(headers or {}))


def said(answer: Answer) -> str:
    """Return what a badge says to a screen reader."""
    assert answer.headers["content-type"] == "image/svg+xml"
    return ET.fromstring(answer.body).get("aria-label") or ""  # noqa: S314  # our own


async def test_badge_shows_the_batch(door: Door, progress: Served) -> None:
    batch_id = "a/b+1%"
    await progress.create(batch_id, 4)
    await progress.report(batch_id, "1", pb.JOB_OUTCOME_FAILED, error_type="E", error_message="no")
    answer = await badge(door, batch_id=batch_id)
    assert (answer.status, said(answer)) == (200, "a/b+1%: 25 %, 1 failed")
    assert len(answer.body) < 1_000
    assert said(await badge(door, batch_id=batch_id, label="<b>ü</b>")) == "<b>ü</b>: 25 %, 1 failed"


async def test_badge_is_only_a_picture_for_any_page(door: Door, progress: Served) -> None:
    """It runs and loads nothing, tells nobody its URL, and may be embedded by other origins."""
    await progress.create("b", 1)
    headers = (await badge(door, batch_id="b")).headers
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["x-content-type-options"] == "nosniff"


async def test_badge_is_fresh_for_seconds_and_then_compared(door: Door, progress: Served) -> None:
    """The same picture is not sent again; a result changes it."""
    await progress.create("b", 2)
    first = await badge(door, batch_id="b")
    assert (first.headers["cache-control"], first.headers["vary"]) == ("max-age=10", "authorization")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        same = await badge(door, {"if_none_match": known}, batch_id="b")
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in same.headers
    await progress.report("b", "1")
    changed = await badge(door, {"if_none_match": tag}, batch_id="b")
    assert (changed.status, said(changed)) == (200, "b: 50 %")


@pytest.mark.parametrize(
    ("parameters", "status", "says"),
    [
        ({"batch_id": "nope"}, 404, "batch: not found"),
        ({"batch_id": "nope", "label": "mails"}, 404, "mails: not found"),
        ({}, 400, "batch: invalid request"),
        ({"batch_id": "b", "token": "ü"}, 400, "batch: invalid request"),
        ({"batch_id": "b", "token": "a\nb"}, 400, "batch: invalid request"),
    ],
)
async def test_errors_are_badges_with_their_status(
    door: Door, parameters: dict[str, str], status: int, says: str
) -> None:
    """They are not cached."""
    answer = await badge(door, **parameters)
    assert (answer.status, said(answer)) == (status, says)
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


async def test_a_server_that_is_away_is_a_badge(closed_door: Door) -> None:
    answer = await badge(closed_door, batch_id="b")
    assert (answer.status, said(answer), answer.headers["retry-after"]) == (503, "batch: unavailable", "1")


async def test_only_get_is_allowed(closed_door: Door) -> None:
    answer = await closed_door.post(f"{PATH}?batch_id=b", b"{}")
    assert (answer.status, answer.headers["allow"]) == (405, "get")


async def test_token_stands_in_the_url(serve: Serve, tokens: Tokens, key_file: object) -> None:
    """It wins over the header and over the gateway's own token, and a watch token shows one batch."""
    application = tokens.add("application", *Role)
    async with (
        serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server,
        bearing(server.port, application) as owner,
        front(server.port) as door,
    ):
        for batch_id in ("b", "other"):
            await owner.create(batch_id, 0)
        token = (await owner.stub.CreateWatchToken(pb.CreateWatchTokenRequest(batch_id="b"))).watch_token
        assert said(await badge(door, batch_id="b", token=token)) == "b: completed"
        assert said(await badge(door, batch_id="b", token=application)) == "b: completed"
        header = {"authorization": f"Bearer {application}"}
        assert said(await badge(door, header, batch_id="b")) == "b: completed"
        foreign, unknown = [await badge(door, batch_id=one, token=token) for one in ("other", "never")]
        assert (foreign.status, foreign.body) == (unknown.status, unknown.body)
        assert foreign.status == 404
        for wrong in ({"token": f"{token}x"}, {"token": ""}, {}):
            answer = await badge(door, header if wrong else None, batch_id="b", **wrong)
            assert (answer.status, said(answer)) == (401, "batch: token missing or invalid")


def front(port: int) -> AbstractAsyncContextManager[Door]:
    """Return a gateway without a token of its own."""
    return gateway(f"127.0.0.1:{port}")
