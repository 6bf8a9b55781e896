"""Reading a queue's Redis: every answer bounded in time, every error told as QueueUnavailable."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from services.job_status.source import QueueContradiction, QueueUnavailable
from services.job_status.sources.portions import portions

ANSWER_SECONDS_MAX = 10.0
"""All of one question: Redis tells of 10,000 jobs in a second, so whoever needs ten is away."""
CONNECT_SECONDS_MAX = 3.0
"""A Redis that is there accepts within milliseconds."""
CONNECTIONS_MAX = 5
"""The reconciler asks about a few batches at a time."""
COMMANDS_PER_TRIP = 1_000
"""Some 100 KB a trip: more would only hold up the queue's own callers, as Redis answers one at a time."""

Command = tuple[str | bytes | int, ...]

_log = structlog.get_logger()


class QueueRedis:
    """The Redis a queue keeps its jobs in, for commands that only read."""

    def __init__(self, url: str, *, answer_seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        """Take a URL that `check_url` accepts; nothing is connected yet."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=answer_seconds_max,
            socket_timeout=answer_seconds_max,
            socket_connect_timeout=CONNECT_SECONDS_MAX,
            # A connection that a restarted Redis closed is opened once more.
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = Redis.from_pool(pool)
        self._answer_seconds_max = answer_seconds_max
        self._last_cause = ""

    async def ask(self, *commands: Command) -> list[Any]:
        """Return the answers to commands, in their order, each as bytes or what holds bytes.

        Raises:
            QueueContradiction: a key holds another kind of value.
            QueueUnavailable: the answers do not come in time.

        """
        answers: list[Any] = []
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                for some in portions(commands, COMMANDS_PER_TRIP):
                    answers += await self._trip(some)
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise QueueContradiction("a key in Redis holds another kind of value") from error
            raise self._away(error) from error
        except (RedisError, OSError) as error:
            raise self._away(error) from error
        self._last_cause = ""
        return answers

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _trip(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        # Raised here, since the pipeline would put the command into the message.
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    def _away(self, error: Exception) -> QueueUnavailable:
        """Return the error to raise; log a cause when it changes: readiness alone asks every two seconds."""
        cause = str(error) or type(error).__name__
        if cause != self._last_cause:
            _log.warning("the queue's Redis does not answer", cause=cause)
        self._last_cause = cause
        return QueueUnavailable()


def check_url(text: str) -> None:
    """Check a URL without connecting.

    Raises:
        ValueError: it is no URL of a Redis; the message never holds the URL, which may have a password.

    """
    try:
        BlockingConnectionPool.from_url(text)
    except ValueError:
        raise ValueError("is no Redis URL such as redis://user:password@host:6379/0 or rediss://…") from None
