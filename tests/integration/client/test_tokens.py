"""Client and AsyncClient with a token function that raises."""

import asyncio
from collections.abc import Callable

import pytest

from batchprogress import AsyncClient, Client, Unavailable
from tests.integration.client.either import opened
from tests.support.progress import Served

KINDS = [Client, AsyncClient]


def failing(times: int) -> Callable[[], str]:
    """Return a token function that raises the first times."""
    calls = 0

    def token() -> str:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise OSError("the vault is sealed")
        return "secret"

    return token


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_without_a_token_says_what_the_function_raised(
    kind: type[Client | AsyncClient], target: str
) -> None:
    """It counts as a call without an answer, so one `except CallFailed` is enough."""
    async with opened(kind, target, token=failing(1_000_000), timeout=0.1) as client:
        with pytest.raises(
            Unavailable, match=r"OSError: the vault is sealed\): correct the token function"
        ) as raised:
            await client.call("get", "b")
    cause = raised.value.__cause__
    assert cause is not None
    assert isinstance(cause.__cause__, OSError)


@pytest.mark.more("waits some seconds until the function is called again")
@pytest.mark.parametrize("kind", KINDS)
async def test_calls_and_watches_ask_for_the_token_again(
    kind: type[Client | AsyncClient], progress: Served, target: str
) -> None:
    """Whoever gives out the token may be away for a moment."""
    await progress.create("b", 0)
    async with (
        opened(kind, target, token=failing(1)) as client,
        opened(kind, target, token=failing(1)) as other,
    ):
        batch, states = await asyncio.gather(client.call("get", "b"), other.every("watch", "b"))
    assert [batch.state] == [one.state for one in states]
