"""The connection to the API server of Kubernetes, whose certificates and tokens change while we run."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
from kubernetes.aio.client import ApiClient, BatchV1Api, Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

RENEWED_SECONDS_MIN = 5.0
"""How long a client is used before the files are read again, at least: while the server is away, calls and
readiness probes fail several times a second, and a kubeconfig may start a program for each token."""

Answer = TypeVar("Answer")
Question = Callable[[BatchV1Api], Awaitable[Answer]]


class AccountRefused(OSError):
    """The API server does not accept the token: 401."""


class _Client:
    """A client of the package, and how many questions use it."""

    def __init__(self, api_client: ApiClient) -> None:
        self.api_client = api_client
        self.made_at = time.monotonic()
        self.questions = 0
        self.is_replaced = False

    async def close_if_unused(self) -> None:
        if self.is_replaced and not self.questions:
            await self.api_client.close()


class KubernetesConnection:
    """Asks the API server, and once more with a new client if the first one may have old files.

    Args:
        config_file: a kubeconfig; None uses the pod's service account. Its certificates are read at the first
            question, and again after a question that could not connect or whose token was refused. The token
            of a service account is also read each minute.
        is_strict: whether certificates must be as RFC 5280 demands, where this is Python's default (3.13).

    """

    def __init__(self, config_file: Path | None, *, is_strict: bool) -> None:
        self._config_file = config_file
        self._is_strict = is_strict
        self._client: _Client | None = None
        self._opening = asyncio.Lock()

    async def ask(self, question: Question[Answer]) -> Answer:
        """Ask a question.

        Args:
            question: asks the API; raises AccountRefused if the token is refused. It may be asked twice.

        Returns:
            The answer.

        Raises:
            Exception: what the package or aiohttp raises, or AccountRefused.

        """
        client = await self._open()
        try:
            return await self._ask(client, question)
        except (AccountRefused, aiohttp.ClientConnectionError, ssl.SSLError):
            renewed = await self._open(instead_of=client)
            if renewed is client:
                raise
        return await self._ask(renewed, question)

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.api_client.close()

    async def _ask(self, client: _Client, question: Question[Answer]) -> Answer:
        async with _used(client):
            return await question(BatchV1Api(client.api_client))

    async def _open(self, instead_of: _Client | None = None) -> _Client:
        """Return the client, created at the first question: a pod's account may become available late."""
        async with self._opening:
            before = self._client
            if before is None or (before is instead_of and _may_be_replaced(before)):
                self._client = _Client(ApiClient(await self._configuration()))
                if before is not None:
                    before.is_replaced = True
                    await before.close_if_unused()
                return self._client
            return before

    async def _configuration(self) -> Configuration:
        configuration = Configuration()
        configuration.retries = False
        configuration.disable_strict_ssl_verification = not self._is_strict
        if self._config_file is None:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(
                config_file=str(self._config_file),
                client_configuration=configuration,
                persist_config=False,
            )
        return configuration


def _may_be_replaced(client: _Client) -> bool:
    return time.monotonic() - client.made_at >= RENEWED_SECONDS_MIN


@asynccontextmanager
async def _used(client: _Client) -> AsyncIterator[None]:
    """Keep a client open while a question uses it."""
    client.questions += 1
    try:
        yield
    finally:
        client.questions -= 1
        await client.close_if_unused()
