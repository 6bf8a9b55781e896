"""What commands say and how they end when a proxy is up and its servers are away."""

import asyncio

import pytest

from tests.integration.cli.command import CommandLine, Ended
from tests.support.http2_server import Answer, Request, http2_server, http_status
from tests.support.silent_server import silent_server

TIMEOUT = "2.5"
"""Longer than a command waits in silence, which is 2 s."""


async def test_a_watch_ends_at_its_timeout_whatever_is_up() -> None:
    """Also when the connection is well: it says whom it waits for, and why if that is known."""
    hangs, refuses = Answer([], hangs=True), http_status(503)
    async with (
        http2_server(lambda _request: hangs) as hanging,
        http2_server(lambda _request: refuses) as refusing,
        silent_server() as silent,
    ):
        targets = (hanging, refusing, silent)
        watches = (CommandLine(one).run("watch", "b", "--timeout", TIMEOUT) for one in targets)
        ended: list[Ended] = await asyncio.gather(*watches)
    for one, target, why in zip(ended, targets, ("", " (HTTP 503 from a proxy)", ""), strict=True):
        waiting, sentence = one.err.splitlines()
        assert (one.code, one.out) == (5, "")
        assert waiting == f"batchprogress: waiting for the server at {target}{why}"
        assert sentence.startswith(f"batchprogress: the server at {target} did not answer for 2.5 s{why}:")


@pytest.mark.parametrize("command", ["watch b", "show b"])
async def test_a_proxy_that_refuses_is_named(command: str) -> None:
    """Where a person must look, the command ends at once with what was answered."""
    asked: list[Request] = []

    def refuse(request: Request) -> Answer:
        asked.append(request)
        return http_status(302)

    async with http2_server(refuse) as target:
        ended = await CommandLine(target).run(*command.split())
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.startswith(f"batchprogress: HTTP 302 from {target}: a proxy answered ")
    assert len(asked) <= 2
