"""With whose token the progress server is called."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from rpc.callers.principal import Role
from tests.integration.gateway.conftest import Serve
from tests.integration.security.conftest import Tokens, key_file
from tests.support.gateway import OPERATIONS, Door, details_of, gateway

__all__ = ["key_file"]  # a fixture


@pytest.fixture
def own_token(tokens: Tokens, tmp_path: Path) -> Path:
    """Return the file with the gateway's own token, which may do everything."""
    path = tmp_path / "token"
    path.write_text(tokens.add("gateway", Role.READER, Role.WORKER, Role.OPERATOR), encoding="ascii")
    return path


async def test_the_token_of_the_caller_is_passed_on(serve: Serve, tokens: Tokens, own_token: Path) -> None:
    """It wins over the gateway's own."""
    token = tokens.add("ann", Role.OPERATOR)
    async with serve(tokens_file=tokens.path) as server, at(server.port, own_token) as door:
        ann = Door(door.port, headers={"authorization": f"Bearer {token}"})
        assert (await ann.call("CreateBatch", batchId="b", totalJobs=1)).status == 200
        assert (await ann.get("GetServerInfo", service=OPERATIONS)).json["caller"] == "ann"
        assert (await ann.call("GetBatch", batchId="b")).error.code == "permission_denied"


async def test_a_wrong_token_is_not_replaced_by_the_gateways_own(
    serve: Serve, tokens: Tokens, own_token: Path
) -> None:
    async with serve(tokens_file=tokens.path) as server, at(server.port, own_token) as door:
        for header in ("", "Bearer wrong", "Basic YTpi"):
            answer = await Door(door.port, headers={"authorization": header}).call("ListBatches")
            assert (answer.status, answer.error.code) == (401, "unauthenticated"), header


async def test_callers_without_a_token_read_but_never_write(
    serve: Serve, tokens: Tokens, own_token: Path
) -> None:
    async with serve(tokens_file=tokens.path) as server, at(server.port, own_token) as door:
        assert (await door.call("ListBatches")).status == 200
        assert (await door.get("ListBatches")).status == 200
        async with door.watch("b") as frames:
            assert details_of((await anext(frames)).json["error"]).code == "not_found"
        created = await door.call("CreateBatch", batchId="b", totalJobs=1)
        assert (created.status, created.error.code) == (401, "unauthenticated")


async def test_nobody_reads_with_the_gateways_token_if_that_is_off(
    serve: Serve, tokens: Tokens, own_token: Path
) -> None:
    async with (
        serve(tokens_file=tokens.path) as server,
        gateway(f"127.0.0.1:{server.port}", token_file=own_token, anonymous_reads=False) as door,
    ):
        assert (await door.call("ListBatches")).error.code == "unauthenticated"


async def test_anonymous_reads_are_off_where_others_can_reach_the_gateway(
    serve: Serve, tokens: Tokens, own_token: Path
) -> None:
    async with (
        serve(tokens_file=tokens.path) as server,
        gateway(f"127.0.0.1:{server.port}", token_file=own_token, listen="0.0.0.0:0") as door,
    ):
        assert (await door.call("ListBatches")).error.code == "unauthenticated"


async def test_a_page_reads_one_batch_with_a_watch_token(
    serve: Serve, tokens: Tokens, own_token: Path, key_file: Path
) -> None:
    """The gateway's own token never takes its place, and creates no watch token for strangers."""
    token = tokens.add("application", Role.OPERATOR, Role.READER)
    async with (
        serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server,
        at(server.port, own_token) as door,
    ):
        application = Door(door.port, headers={"authorization": f"Bearer {token}"})
        for batch_id in ("b", "other"):
            await application.call("CreateBatch", batchId=batch_id, totalJobs=0)
        created = (await application.call("CreateWatchToken", batchId="b", ttl="900s")).json
        page = Door(door.port, headers={"authorization": f"Bearer {created['watchToken']}"})
        assert (await page.get("GetBatch", batchId="b")).json["batch"]["batchId"] == "b"
        async with page.watch("b") as frames:
            assert (await anext(frames)).json["batch"]["state"] == "BATCH_STATE_COMPLETED"
        assert (await page.get("GetBatch", batchId="other")).error.code == "not_found"
        assert (await page.call("ListBatches")).error[:2] == ("permission_denied", "ROLE_MISSING")
        stranger = await door.call("CreateWatchToken", batchId="b")
    assert (stranger.status, stranger.error.code) == (401, "unauthenticated")


async def test_the_request_id_of_the_caller_is_passed_on(door: Door) -> None:
    mine = Door(door.port, headers={"x-request-id": "mine-1"})
    details = (await mine.call("GetBatch", batchId="b")).json["details"]
    assert [one["debug"]["requestId"] for one in details if one["type"] == "google.rpc.RequestInfo"] == [
        "mine-1"
    ]


async def test_a_replaced_token_is_used(serve: Serve, tokens: Tokens, own_token: Path) -> None:
    """A file without a token is answered UNAVAILABLE, without its text."""
    async with serve(tokens_file=tokens.path) as server, at(server.port, own_token) as door:
        good = tokens.given["gateway"]
        write(own_token, "two\nlines")
        answer = await door.call("ListBatches")
        assert (answer.status, answer.error.reason) == (503, "TOKEN_UNREADABLE")
        assert str(own_token).encode() not in answer.body
        write(own_token, good)
        assert (await door.call("ListBatches")).status == 200


def write(path: Path, token: str) -> None:
    """Replace a token."""
    path.write_text(token, encoding="ascii")


def at(port: int, token: Path) -> AbstractAsyncContextManager[Door]:
    """Serve a gateway with its own token."""
    return gateway(f"127.0.0.1:{port}", token_file=token)
