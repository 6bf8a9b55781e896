"""Who may view a batch as events."""

from pathlib import Path

import pytest

from rpc.callers.limits import UNLIMITED
from rpc.callers.principal import Role
from rpc.callers.signed_token_rules import LEEWAY_SECONDS
from rpc.callers.watch_tokens import WatchTokens
from services.gateway.live import admission
from tests.integration.gateway.conftest import Serve
from tests.integration.security.conftest import Tokens
from tests.support.events import events, path_of
from tests.support.gateway import Door, details_of, gateway

VALID_SECONDS = 3
"""Long enough to begin with on a busy machine."""


@pytest.fixture
def own_token(tokens: Tokens, tmp_path: Path) -> Path:
    """Return the file with the gateway's own token."""
    path = tmp_path / "token"
    path.write_text(tokens.add("gateway", Role.READER), encoding="ascii")
    return path


@pytest.fixture
def creator(tokens: Tokens) -> str:
    """Return a token that creates batches; the server reads the file once a second."""
    return tokens.add("creator", Role.OPERATOR)


@pytest.fixture
def asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gateway ask for its viewers again after 0.1 s."""
    monkeypatch.setattr(admission, "ASKED_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(admission, "FRESH_SECONDS", 0.0)


async def create(port: int, token: str) -> None:
    """Create a batch of one job."""
    async with gateway(f"127.0.0.1:{port}") as door:
        operator = Door(door.port, headers={"authorization": f"Bearer {token}"})
        assert (await operator.call("CreateBatch", batchId="b", totalJobs=1)).status == 200


async def test_each_viewer_is_let_in_by_its_own_token(
    serve: Serve, tokens: Tokens, own_token: Path, creator: str
) -> None:
    """That the batch is watched with the gateway's own opens it to nobody else."""
    reader = f"Bearer {tokens.add('ann', Role.READER)}"
    others = {"worker": f"Bearer {tokens.add('bob', Role.WORKER)}", "nobody": "Bearer wrong"}
    async with serve(tokens_file=tokens.path) as server:
        await create(server.port, creator)
        settings = {"token_file": own_token, "anonymous_reads": False}
        async with (
            gateway(f"127.0.0.1:{server.port}", **settings) as door,
            events(door, "b", authorization=reader) as found,
        ):
            assert (await anext(found)).name == "batch"
            refused = {
                name: await door.send("GET", path_of("b"), authorization=token)
                for name, token in others.items()
            }
            refused["no token"] = await door.send("GET", path_of("b"))
    assert {name: (one.status, one.error.code) for name, one in refused.items()} == {
        "worker": (403, "permission_denied"),
        "nobody": (401, "unauthenticated"),
        "no token": (401, "unauthenticated"),
    }


@pytest.mark.more("waits for servers")
async def test_a_token_of_other_batches_opens_nothing(
    serve: Serve, tokens: Tokens, own_token: Path, creator: str
) -> None:
    """Whether the batch exists is not told."""
    token = f"Bearer {tokens.add('ann', Role.READER, prefix='team-a/')}"
    async with serve(tokens_file=tokens.path) as server:
        await create(server.port, creator)
        async with gateway(f"127.0.0.1:{server.port}", token_file=own_token) as door:
            answers = [await door.send("GET", path_of(one), authorization=token) for one in ("b", "none")]
    assert answers[0].status == answers[1].status
    assert answers[0].error == answers[1].error


@pytest.mark.more("waits for servers")
async def test_viewers_without_a_token_are_let_in_by_the_gateways_own(
    serve: Serve, tokens: Tokens, own_token: Path, creator: str
) -> None:
    async with serve(tokens_file=tokens.path) as server:
        await create(server.port, creator)
        async with (
            gateway(f"127.0.0.1:{server.port}", token_file=own_token) as door,
            events(door, "b") as found,
        ):
            assert (await anext(found)).name == "batch"


@pytest.mark.more("waits for a token to be revoked")
@pytest.mark.usefixtures("asked_often")
async def test_a_viewer_whose_token_is_revoked_is_told_and_ended(
    serve: Serve, tokens: Tokens, own_token: Path, creator: str
) -> None:
    kept = tokens.path.read_text(encoding="utf-8")
    token = f"Bearer {tokens.add('ann', Role.READER)}"
    async with serve(tokens_file=tokens.path) as server:
        await create(server.port, creator)
        async with (
            gateway(f"127.0.0.1:{server.port}", token_file=own_token) as door,
            events(door, "b") as others,
            events(door, "b", authorization=token) as found,
        ):
            assert [(await anext(one)).name for one in (others, found)] == ["batch", "batch"]
            tokens.path.write_text(kept, encoding="utf-8")
            (last,) = [event async for event in found if event.name != "batch"]
            assert (last.name, details_of(last.json).code) == ("refused", "unauthenticated")
            assert (await door.send("GET", path_of("b"), authorization=token)).status == 401
            assert (await door.send("GET", "/v1/batch?batch_id=b")).status == 200


@pytest.mark.more("waits for a token to expire")
@pytest.mark.usefixtures("asked_often")
async def test_a_viewer_whose_watch_token_expires_is_told_and_ended(
    serve: Serve,
    tokens: Tokens,
    key_file: Path,
    own_token: Path,
    creator: str,
) -> None:
    """The token of another batch opens nothing."""
    async with serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server:
        await create(server.port, creator)
        watch_tokens = WatchTokens(key_file, frozenset(), UNLIMITED)
        soon = f"Bearer {watch_tokens.create('b', VALID_SECONDS - LEEWAY_SECONDS).text}"
        others = f"Bearer {watch_tokens.create('another', VALID_SECONDS).text}"
        async with (
            gateway(f"127.0.0.1:{server.port}", token_file=own_token) as door,
            events(door, "b", authorization=soon) as found,
        ):
            assert (await anext(found)).name == "batch"
            refused = await door.send("GET", path_of("b"), authorization=others)
            (last,) = [event async for event in found if event.name != "batch"]
            assert (last.name, details_of(last.json).code) == ("refused", "unauthenticated")
            again = await door.send("GET", path_of("b"), authorization=soon)
    assert (refused.status, again.status) == (404, 401)


@pytest.mark.more("waits for servers")
@pytest.mark.parametrize("roles", [(), (Role.WORKER,)])
async def test_a_gateway_that_may_not_watch_says_so(
    serve: Serve, tokens: Tokens, tmp_path: Path, creator: str, roles: tuple[Role, ...]
) -> None:
    """It is not the fault of the viewer, who would else get a new token."""
    token = f"Bearer {tokens.add('ann', Role.READER)}"
    own = tmp_path / "own"
    own.write_text(tokens.add("gateway", *roles) if roles else "unknown", encoding="ascii")
    async with serve(tokens_file=tokens.path) as server:
        await create(server.port, creator)
        async with gateway(f"127.0.0.1:{server.port}", token_file=own) as door:
            answer = await door.send("GET", path_of("b"), authorization=token)
    assert (answer.status, answer.error.reason) == (503, "TOKEN_REFUSED")
