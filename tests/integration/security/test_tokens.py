"""Which tokens are accepted, and that an invalid token reveals nothing."""

import asyncio
import base64
import hashlib
import hmac
import time
from typing import Any

import grpc
import jwt
import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from rpc.callers.signed_token_rules import LEEWAY_SECONDS
from tests.integration.security.conftest import Issuer, Serve, Tokens, bearing
from tests.integration.security.test_roles import code_of
from tests.support.progress import Served

SECONDS_MAX = 20.0
REFUSED = ("UNAUTHENTICATED", "TOKEN_INVALID")


async def refusal_of(client: Served) -> tuple[str, str, dict[str, Any]]:
    """Make a call that fails; return everything that the caller learns."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stub.GetBatch(pb.GetBatchRequest(batch_id="b"), metadata=(("x-request-id", "same"),))
    error = caught.value
    return error.code().name, error.details() or "", dict(error.trailing_metadata() or ())


def wrong_tokens(issuer: Issuer) -> dict[str, str]:
    """Return tokens, each of them invalid in one way."""
    stranger = Issuer()
    right = issuer.sign(["reader"])
    head, body, _ = right.split(".")
    return {
        "none": "",
        "not a token": "bp_made-up",
        "nested too deeply for JSON": f"{encoded(b'[' * 5_000)}.{body}.",
        "expired": issuer.sign(["reader"], exp=time.time() - 2 * LEEWAY_SECONDS),
        "without an expiry": issuer.sign(["reader"], exp=None),
        "another issuer's signature": stranger.sign(["reader"]),
        "no signature": f"{head}.{body}.",
        "algorithm none": jwt.encode(jwt.decode(right, options={"verify_signature": False}), "", "none"),
        "the public key as a shared secret": hmac_with_public_key(issuer),
        "for another audience": issuer.sign(["reader"], aud="another"),
        "from another issuer": issuer.sign(["reader"], iss="https://another.example"),
        "not valid yet": issuer.sign(["reader"], nbf=time.time() + 3_600),
        "without a subject": issuer.sign(["reader"], sub=None),
    }


def hmac_with_public_key(issuer: Issuer) -> str:
    """Return an HS256 token signed with the public key, the classic confusion; pyjwt refuses to make it."""
    body = issuer.sign(["reader"]).split(".")[1]
    head = encoded(b'{"alg":"HS256","typ":"JWT"}')
    signature = hmac.new(issuer.public_pem, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{encoded(signature)}"


def encoded(raw: bytes) -> str:
    """Return a part of a signed token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_every_invalid_token_gets_the_same_answer(
    serve: Serve, tokens: Tokens, issuer: Issuer, jwt_settings: dict[str, Any]
) -> None:
    """Expired, wrongly signed, invented and missing tokens get equal answers, byte for byte."""
    tokens.add("someone", Role.READER)
    answers = {}
    async with serve(tokens_file=tokens.path, **jwt_settings) as server:
        for what, token in wrong_tokens(issuer).items():
            async with bearing(server.port, token) as client:
                answers[what] = await refusal_of(client)
        async with bearing(server.port, issuer.sign(["reader"])) as client:
            assert await code_of(client, "ListBatches") == ("OK", "")
    first = answers["none"]
    assert first[0] == "UNAUTHENTICATED"
    assert {what: answer for what, answer in answers.items() if answer != first} == {}


@pytest.mark.more("waits until a token has expired")
async def test_signed_token_is_refused_after_its_expiry(
    serve: Serve, issuer: Issuer, jwt_settings: dict[str, Any]
) -> None:
    """A remembered token is refused too."""
    token = issuer.sign(["reader"], exp=time.time() - LEEWAY_SECONDS + 3)
    async with serve(**jwt_settings) as server, bearing(server.port, token) as client:
        assert await code_of(client, "ListBatches") == ("OK", "")
        await until(client, REFUSED)


async def test_roles_of_other_services_are_ignored(
    serve: Serve, issuer: Issuer, jwt_settings: dict[str, Any]
) -> None:
    """A signed token without a role of this service may do nothing."""
    async with serve(**jwt_settings) as server:
        async with bearing(server.port, issuer.sign(["admin"])) as client:
            assert await code_of(client, "GetBatch") == ("PERMISSION_DENIED", "ROLE_MISSING")
        async with bearing(server.port, issuer.sign(["admin", "reader"])) as client:
            assert await code_of(client, "ListBatches") == ("OK", "")


async def test_token_file_is_reloaded(serve: Serve, tokens: Tokens) -> None:
    """An added token is accepted and a removed token refused, without a restart."""
    tokens.add("first", Role.READER)
    async with serve(tokens_file=tokens.path) as server:
        second = tokens.add("second", Role.READER)
        async with bearing(server.port, second) as client:
            await until(client, ("OK", ""))
            tokens.path.write_text("", encoding="ascii")
            await until(client, REFUSED)


async def test_key_of_the_issuer_is_reloaded(
    serve: Serve, issuer: Issuer, jwt_settings: dict[str, Any]
) -> None:
    """Tokens of the new key are accepted, those of the old key no longer."""
    newer = Issuer()
    async with serve(**jwt_settings) as server:
        jwt_settings["jwt_key_file"].write_bytes(newer.public_pem)
        async with bearing(server.port, newer.sign(["reader"])) as client:
            await until(client, ("OK", ""))
        async with bearing(server.port, issuer.sign(["reader"])) as client:
            assert await code_of(client, "ListBatches") == REFUSED


async def until(client: Served, expected: tuple[str, str]) -> None:
    """Call until the expected answer comes."""
    async with asyncio.timeout(SECONDS_MAX):
        while await code_of(client, "ListBatches") != expected:  # noqa: ASYNC110  # the reload has no event
            await asyncio.sleep(0.1)
