"""create_watch_token of both clients, and of the command line."""

import math
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from batchprogress import (
    AsyncClient,
    BatchNotFound,
    Client,
    PermissionDenied,
    Unauthenticated,
    WatchTokensOff,
)
from rpc.callers.principal import Role
from tests.integration.cli.command import CommandLine
from tests.integration.client.either import opened
from tests.integration.security.conftest import Serve, Tokens, key_file, serve, tokens

__all__ = ["key_file", "serve", "tokens"]  # fixtures

KINDS = [Client, AsyncClient]


@pytest_asyncio.fixture
async def target(serve: Serve, tokens: Tokens, key_file: Path) -> AsyncIterator[str]:
    """Serve with tokens and a key; yield the address."""
    tokens.add("application", *Role)
    async with serve(tokens_file=tokens.path, watch_token_key_file=key_file) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_watches_with_its_token_and_does_nothing_else(
    kind: type[Client | AsyncClient], target: str, tokens: Tokens
) -> None:
    """The token does not stand in the representation of its value, which logs may hold."""
    async with opened(kind, target, token=tokens.given["application"]) as application:
        await application.call("create", "b", 0)
        created = await application.call("create_watch_token", "b", ttl=60)
        assert math.isclose(created.expire_time.timestamp(), time.time() + 60, abs_tol=30)
        assert created.token not in repr(created)
        with pytest.raises(BatchNotFound):
            await application.call("create_watch_token", "nope")
    async with opened(kind, target, token=created.token) as page:
        assert [batch.batch_id for batch in await page.every("watch", "b")] == ["b"]
        with pytest.raises(PermissionDenied):
            await page.every("list")
        with pytest.raises(PermissionDenied):
            await page.call("create_watch_token", "b")
    async with opened(kind, target, token=f"{created.token}x") as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.call("get", "b")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_without_a_key_is_told_apart(kind: type[Client | AsyncClient], serve: Serve) -> None:
    """An application then gives its page no token."""
    async with serve() as server, opened(kind, f"127.0.0.1:{server.port}") as application:
        await application.call("create", "b", 1)
        with pytest.raises(WatchTokensOff, match="this server has no key for watch tokens: set PROGRESS_"):
            await application.call("create_watch_token", "b")


@pytest.mark.more("runs four commands")
async def test_command_prints_a_token_that_watches(target: str, tokens: Tokens, tmp_path: Path) -> None:
    """Only the token is on standard output; when it expires is told on standard error, and in JSON."""
    file = tmp_path / "token"
    file.write_text(tokens.given["application"], encoding="ascii")
    cli, option = CommandLine(target), ("--token-file", str(file))
    await cli.run("create", "b", "--total", "0", *option)
    (shown,) = (await cli.run("watch-token", "b", "--json", *option)).json
    assert shown.keys() == {"watch_token", "expire_time"}
    ended = await cli.run("watch-token", "b", "--expires-in", "60", *option)
    assert (ended.code, len(ended.lines)) == (0, 1)
    assert ended.err.startswith("batchprogress: the token expires at 2")
    file.write_text(ended.out, encoding="ascii")
    assert (await cli.run("watch", "b", *option)).code == 0
