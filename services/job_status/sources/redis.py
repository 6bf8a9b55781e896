"""Reads a queue's Redis: all commands have a time-out, and every error is raised as QueueUnavailable."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from process.accounts import Account, RotatedAccount
from process.urls import require_credentials_before_host
from services.job_status.source import QueueContradiction, QueueUnavailable
from services.job_status.sources.chunks import chunked
from services.job_status.sources.outages import OutageLog

ANSWER_SECONDS_MAX = 10.0
"""The limit for all commands of one call: Redis answers for 10,000 jobs in a second, so one that needs ten is
unavailable."""
CONNECT_SECONDS_MAX = 3.0
"""A running Redis accepts a connection within milliseconds."""
CONNECTIONS_MAX = 5
"""The reconciler asks about a few batches at a time."""
COMMANDS_PER_PIPELINE = 1_000
"""100 KB per round trip. More would delay the queue's own clients, since Redis executes one command at a
time."""

_WRONG_TYPE = object()
"""The answer to a command whose key holds another type of value."""

Command = tuple[str | bytes | int, ...]


class QueueRedis:
    """The Redis of a queue, for commands that only read. Connects at the first command.

    Args:
        url: a URL that `check_url` accepts.
        file: the file that contains the URL. It is read again when Redis refuses the account.
        answer_seconds_max: the time-out for all commands of one `execute`.

    """

    def __init__(
        self, url: str, *, file: Path | None = None, answer_seconds_max: float = ANSWER_SECONDS_MAX
    ) -> None:
        self._account = RotatedAccount(url, file, _split)
        options: dict[str, Any] = {
            "max_connections": CONNECTIONS_MAX,
            "timeout": answer_seconds_max,
            "socket_timeout": answer_seconds_max,
            "socket_connect_timeout": CONNECT_SECONDS_MAX,
            # Reconnect once: a restarted Redis has closed the pooled connections.
            "retry": Retry(NoBackoff(), 1),
            "credential_provider": _Credentials(self._account),
        }
        _, address = _split(url)
        self._pool = BlockingConnectionPool(**options | address)
        self._redis = Redis.from_pool(self._pool)
        self._answer_seconds_max = answer_seconds_max
        self._outages = OutageLog("the queue's Redis does not answer")

    async def execute(self, *commands: Command) -> list[Any]:
        """Return the answers to commands in their order, as bytes or containers of bytes.

        Raises:
            QueueContradiction: a key holds another type of value.
            QueueUnavailable: a command failed or timed out.

        """
        answers = await self._execute(commands)
        if any(answer is _WRONG_TYPE for answer in answers):
            raise QueueContradiction("a key in Redis holds another type of value")
        return answers

    async def execute_each(self, *commands: Command) -> list[Any]:
        """Return the answers to commands in their order, None for a key that holds another type of value.

        Raises:
            QueueUnavailable: a command failed or timed out.

        """
        answers = await self._execute(commands)
        return [None if answer is _WRONG_TYPE else answer for answer in answers]

    async def _execute(self, commands: Sequence[Command]) -> list[Any]:
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                answers = await self._answers(commands)
        except (RedisError, OSError) as error:
            self._outages.failed(error)
            raise QueueUnavailable from error
        self._outages.recovered()
        return answers

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _answers(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers; ask again if the account is refused and its file names another one."""
        account = self._account.current
        try:
            return await self._pipelines(commands)
        except (AuthenticationError, NoPermissionError):
            if not self._account.renew(account):
                raise
        # A changed password ends no connection, and those of the old account would be refused again.
        await self._pool.disconnect(inuse_connections=False)
        return await self._pipelines(commands)

    async def _pipelines(self, commands: Sequence[Command]) -> list[Any]:
        answers: list[Any] = []
        for chunk in chunked(commands, COMMANDS_PER_PIPELINE):
            answers += await self._pipeline(chunk)
        return answers

    async def _pipeline(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return list(map(_checked, answers))


class _Credentials(CredentialProvider):
    """Gives the account to each new connection."""

    def __init__(self, account: RotatedAccount) -> None:
        self._account = account

    async def get_credentials_async(self) -> tuple[()] | tuple[str] | tuple[str, str]:  # type: ignore[override]
        """Return the arguments of AUTH; without any, the connection does not log in."""
        user, password = self._account.current
        if user:
            return user, password or ""
        return (password,) if password else ()


def _checked(answer: Any) -> Any:
    """Return an answer; raise an error here, because the pipeline would add the command to its message."""
    if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
        return _WRONG_TYPE
    if isinstance(answer, RedisError):
        raise answer
    return answer


def _split(text: str) -> tuple[Account, dict[str, Any]]:
    """Return the account and the other arguments of a connection, as `from_url` would pass them."""
    check_url(text)
    options: dict[str, Any] = dict(parse_url(text))
    return Account(options.pop("username", None), options.pop("password", None)), options


def check_url(text: str) -> None:
    """Check the URL of a Redis without connecting.

    Raises:
        ValueError: the URL is malformed. The message never contains the URL, because it may hold a password.

    """
    require_credentials_before_host(text)
    try:
        BlockingConnectionPool.from_url(text)
    except ValueError:
        raise ValueError(
            "is not a Redis URL such as redis://user:password@host:6379/0 or rediss://…"
        ) from None
