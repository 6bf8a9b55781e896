"""What a watch token may call on a real server, and what its holder learns."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from batchprogress.v1 import operations_pb2
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from rpc.callers.watch_tokens import WATCH_TOKEN_PREFIX
from services.progress.requests import WATCH_TOKEN_SECONDS_DEFAULT, WATCH_TOKEN_SECONDS_MAX
from tests.integration.security.conftest import KEY, Issuer, Serve, Tokens, bearing, write_keys
from tests.integration.security.test_limits import refusal_of
from tests.integration.security.test_prefixes import ABOUT_A_BATCH, NOBODYS, THEIRS
from tests.integration.security.test_prefixes import refusal_of as learned
from tests.integration.security.test_roles import METHODS, code_of
from tests.support.answers import answered
from tests.support.eventually import eventually
from tests.support.progress import Served

SECONDS_MAX = 20.0
ALLOWED = {"GetBatch", "GetBatchHistory", "ListFailureGroups", "WatchBatch"}
FORBIDDEN = ("PERMISSION_DENIED", "ROLE_MISSING")


@dataclass(frozen=True, slots=True)
class Scene:
    """A server with the batches `b` and THEIRS, and the client of an application."""

    server: Served
    application: Served
    key_file: Path

    async def token(self, batch_id: str = "b") -> str:
        """Create a watch token."""
        request = pb.CreateWatchTokenRequest(batch_id=batch_id)
        return (await self.application.stub.CreateWatchToken(request)).watch_token

    def replace_keys(self, *keys: str) -> None:
        """Replace the file of the keys."""
        write_keys(self.key_file.with_suffix(".new"), *keys).replace(self.key_file)


@pytest_asyncio.fixture
async def scene(serve: Serve, tokens: Tokens, key_file: Path) -> AsyncIterator[Scene]:
    """Serve with a token file and a key, and create the batches."""
    everything = tokens.add("all", *Role)
    async with (
        serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server,
        bearing(server.port, everything) as application,
    ):
        for batch_id in ("b", THEIRS):
            await application.create(batch_id, 2)
        yield Scene(server, application, key_file)


async def test_watch_token_reads_and_watches_its_batch(scene: Scene) -> None:
    """It sees the failures, too, and the watch goes to the end."""
    async with bearing(scene.server.port, await scene.token()) as page:
        await scene.application.report("b", "1", pb.JOB_OUTCOME_FAILED, error_type="E", error_message="no")
        assert (await page.get("b")).failed_jobs == 1
        groups = await page.stub.ListFailureGroups(pb.ListFailureGroupsRequest(batch_id="b"))
        assert [group.error_type for group in groups.failure_groups] == ["E"]
        states = []
        async for response in page.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"), timeout=SECONDS_MAX):
            states.append(response.batch.state)
            if len(states) == 1:
                await scene.application.report("b", "2")
    assert states == [pb.BATCH_STATE_PROCESSING, pb.BATCH_STATE_COMPLETED]


async def test_watch_token_calls_nothing_else(scene: Scene) -> None:
    """No write, no list of batches or jobs, no other service, and no further watch token."""
    async with bearing(scene.server.port, await scene.token()) as page:
        codes = {name: await code_of(page, name) for name in METHODS}
        assert {name for name, code in codes.items() if code != FORBIDDEN} == ALLOWED
        assert all(codes[name] == ("OK", "") for name in ALLOWED)
        for call in (
            page.operations.GetServerInfo(operations_pb2.GetServerInfoRequest()),
            page.operations.ListPasses(operations_pb2.ListPassesRequest()),
        ):
            refusal = await refusal_of(call)
            assert (refusal.code.name, refusal.reason) == FORBIDDEN
    assert (await scene.application.get("b")).state == pb.BATCH_STATE_PROCESSING


@pytest.mark.parametrize("method", sorted(ALLOWED))
async def test_another_batch_looks_like_an_unknown_one(scene: Scene, method: str) -> None:
    """The two answers are equal byte for byte, except for the id."""
    async with bearing(scene.server.port, await scene.token()) as page:
        foreign, unknown = [await learned(page, method, batch_id) for batch_id in (THEIRS, NOBODYS)]
    assert foreign == unknown
    assert foreign[0] == "NOT_FOUND"


async def test_forbidden_call_does_not_tell_whether_a_batch_exists(scene: Scene) -> None:
    async with bearing(scene.server.port, await scene.token()) as page:
        for method in ABOUT_A_BATCH.keys() - ALLOWED:
            own, foreign, unknown = [await learned(page, method, one) for one in ("b", THEIRS, NOBODYS)]
            assert foreign == unknown, method
            assert own[:2] == foreign[:2] == ("PERMISSION_DENIED", own[1])


async def test_only_a_reader_of_the_batch_creates_a_token(
    serve: Serve, tokens: Tokens, key_file: Path
) -> None:
    reader = tokens.add("reader", Role.READER, prefix="own-")
    writer = tokens.add("writer", Role.WORKER, Role.OPERATOR)
    async with (
        serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server,
        bearing(server.port, writer) as owner,
    ):
        for batch_id in ("own-1", THEIRS):
            await owner.create(batch_id, 1)
        assert await creation(owner, "own-1") == FORBIDDEN
        async with bearing(server.port, reader) as client:
            assert await creation(client, "own-1") == ("OK", "")
            for batch_id in (THEIRS, NOBODYS):
                assert await creation(client, batch_id) == ("NOT_FOUND", "BATCH_NOT_FOUND")


async def test_token_lives_an_hour_or_as_long_as_asked(scene: Scene) -> None:
    """Outside 10 s to 24 h it is refused; the answer tells when the token expires, as the token does."""
    for seconds, lives in ((None, WATCH_TOKEN_SECONDS_DEFAULT), (10, 10), (86_400, 86_400)):
        request = pb.CreateWatchTokenRequest(batch_id="b", ttl=Duration(seconds=seconds) if seconds else None)
        now = (await scene.application.get("b")).create_time.seconds
        created = await scene.application.stub.CreateWatchToken(request)
        assert lives - 1 <= created.expire_time.seconds - now <= lives + SECONDS_MAX
        bare = created.watch_token.removeprefix(WATCH_TOKEN_PREFIX)
        claims = jwt.decode(bare, KEY, ["HS256"], options={"verify_exp": False})
        assert (claims["batch_id"], claims["exp"]) == ("b", created.expire_time.seconds)
    for ttl in (Duration(seconds=9, nanos=999_999_999), Duration(seconds=WATCH_TOKEN_SECONDS_MAX, nanos=1)):
        with pytest.raises(grpc.aio.AioRpcError, match="ttl") as refused:
            await scene.application.stub.CreateWatchToken(pb.CreateWatchTokenRequest(batch_id="b", ttl=ttl))
        assert answered(refused.value).reason == "INVALID_FIELD"


async def test_expired_and_invented_tokens_have_their_own_answers(scene: Scene) -> None:
    """Only a token that was valid once is told that it has expired."""
    claims = {"batch_id": "b", "exp": 1}
    for key, reason in ((KEY, "TOKEN_EXPIRED"), (secrets.token_hex(32), "TOKEN_INVALID")):
        token = WATCH_TOKEN_PREFIX + jwt.encode(claims, key, "HS256")
        async with bearing(scene.server.port, token) as page:
            for method in METHODS:
                assert await code_of(page, method) == ("UNAUTHENTICATED", reason)


@pytest.mark.more("waits until the server reads its keys again")
async def test_old_token_is_valid_until_its_key_is_removed(scene: Scene) -> None:
    """Each step of a rotation is seen within seconds, without a restart."""
    new = secrets.token_hex(32)
    async with bearing(scene.server.port, await scene.token()) as page:
        scene.replace_keys(new, KEY)
        await eventually(lambda: signed_with(scene, new))
        assert await code_of(page, "GetBatch") == ("OK", "")
        scene.replace_keys(new)
        await eventually(lambda: answers(page, ("UNAUTHENTICATED", "TOKEN_INVALID")))


@pytest.mark.parametrize("has_key", [True, False])
@pytest.mark.parametrize("requires_tokens", [True, False])
async def test_without_key_or_tokens_no_watch_token_is_created(
    serve: Serve, tokens: Tokens, key_file: Path, *, has_key: bool, requires_tokens: bool
) -> None:
    """A server that requires no tokens answers a page without one."""
    token = tokens.add("all", *Role)
    settings: dict[str, Any] = {"watch_token_key_file": key_file} if has_key else {}
    if requires_tokens:
        settings["tokens_file"] = tokens.path
    async with serve(**settings) as server, bearing(server.port, token) as client:
        await client.create("b", 1)
        off = ("FAILED_PRECONDITION", "WATCH_TOKENS_OFF")
        assert await creation(client, "b") == (("OK", "") if has_key and requires_tokens else off)
        assert await creation(client, "nope") == ("NOT_FOUND", "BATCH_NOT_FOUND")
    if requires_tokens and not has_key:
        forged = WATCH_TOKEN_PREFIX + jwt.encode({"batch_id": "b", "exp": 2**31}, KEY, "HS256")
        async with serve(**settings) as server, bearing(server.port, forged) as page:
            assert await code_of(page, "GetBatch") == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_signed_tokens_and_watch_tokens_work_beside_each_other(
    serve: Serve, issuer: Issuer, jwt_settings: dict[str, Any], key_file: Path
) -> None:
    """An issuer's token with the claims of a watch token does not become one."""
    async with serve(watch_token_key_file=key_file, **jwt_settings) as server:
        async with bearing(server.port, issuer.sign([*Role])) as client:
            await client.create("b", 1)
            created = await client.stub.CreateWatchToken(pb.CreateWatchTokenRequest(batch_id="b"))
        async with bearing(server.port, created.watch_token) as page:
            assert await code_of(page, "GetBatch") == ("OK", "")
        async with bearing(server.port, WATCH_TOKEN_PREFIX + issuer.sign(["reader"], batch_id="b")) as page:
            assert await code_of(page, "GetBatch") == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def creation(client: Served, batch_id: str) -> tuple[str, str]:
    """Create a watch token; return code and reason."""
    try:
        await client.stub.CreateWatchToken(pb.CreateWatchTokenRequest(batch_id=batch_id))
    except grpc.aio.AioRpcError as error:
        answer = answered(error)
        return answer.code.name, answer.reason
    return "OK", ""


async def signed_with(scene: Scene, key: str) -> bool:
    """Return whether the server signs with this key."""
    token = (await scene.token()).removeprefix(WATCH_TOKEN_PREFIX)
    try:
        jwt.decode(token, key, ["HS256"])
    except jwt.InvalidSignatureError:
        return False
    return True


async def answers(client: Served, expected: tuple[str, str]) -> bool:
    """Return whether GetBatch is answered like this."""
    return await code_of(client, "GetBatch") == expected
