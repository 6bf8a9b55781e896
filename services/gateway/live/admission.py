"""Lets viewers in: each is asked for with its own token, and again while it views.

Viewers of a batch with the same token share the question.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import grpc
import structlog

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.contract.answers import Answer, to_answer, unreached
from services.gateway.contract.caller import Metadata

ASKED_AGAIN_SECONDS = 30.0
"""How long a viewer whose token has expired or was revoked may go on."""
FRESH_SECONDS = 1.0
"""How long an answer is used for further viewers: after a restart all of them come at once."""
ANSWERED_SECONDS_MAX = 10.0
"""How long a viewer waits to be let in: an answer takes milliseconds, but all viewers may come at once."""
REFUSED = frozenset(
    {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND}
)
"""Answers that end a viewer. Any other failure says nothing about its rights, and is asked again."""
Ask = Callable[[], Coroutine[Any, Any, pb.Batch]]

_log = structlog.get_logger()


class Admission:
    """The right of some viewers to see a batch.

    Args:
        ask: reads the batch with their token; raises an Answer.

    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._asking: asyncio.Task[pb.Batch] | None = None
        self._asked_at = 0.0
        self._batch = pb.Batch()
        self._keeping: asyncio.Task[None] | None = None
        self.flags: set[asyncio.Event] = set()
        """The flags of the viewers."""
        self.refusal: Answer | None = None
        """Why they may not see it any longer."""

    @property
    def batch(self) -> pb.Batch:
        """The batch as it was read last; only after `confirm`."""
        return self._batch

    async def confirm(self) -> None:
        """Ask, unless it was asked within the last second.

        Raises:
            Answer: they may not see it, or the call has failed.

        """
        now = time.monotonic()
        if self._asking is None or (self._asking.done() and now - self._asked_at > FRESH_SECONDS):
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask())
        # Shielded: a viewer that leaves must not cancel the question of others.
        try:
            async with asyncio.timeout(ANSWERED_SECONDS_MAX):
                self._batch = await asyncio.shield(self._asking)
        except TimeoutError:
            raise to_answer(unreached(grpc.StatusCode.DEADLINE_EXCEEDED)) from None

    def keep(self) -> None:
        """Ask again from time to time."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    def close(self) -> None:
        """Ask no more."""
        for task in (self._asking, self._keeping):
            if task is not None:
                task.cancel()

    async def _keep(self) -> None:
        while self.refusal is None:
            await asyncio.sleep(ASKED_AGAIN_SECONDS * random.uniform(0.8, 1))  # noqa: S311  # jitter is no secret
            try:
                await self.confirm()
            except Answer as answer:
                self.refusal = answer if answer.grpc_code in REFUSED else None
            except Exception as defect:  # noqa: BLE001  # nobody awaits this task, and viewers must be asked for
                _log.error("unexpected error", exc_info=defect)
        for flag in self.flags:
            flag.set()


class Admissions:
    """The admissions of all viewers.

    Args:
        get_batch: reads a batch with the metadata of a viewer; raises an Answer.

    """

    def __init__(self, get_batch: Callable[[str, Metadata], Coroutine[Any, Any, pb.Batch]]) -> None:
        self._get_batch = get_batch
        self._admissions: dict[tuple[str, Metadata], Admission] = {}

    @asynccontextmanager
    async def admitted(
        self, batch_id: str, metadata: Metadata, flag: asyncio.Event
    ) -> AsyncIterator[Admission]:
        """Let a viewer in while the context is open.

        Args:
            batch_id: the batch.
            metadata: what the viewer has sent, with its token.
            flag: is set when it is refused later.

        Yields:
            Its admission, with the batch.

        Raises:
            Answer: it may not see the batch, or the call has failed.

        """
        # Not by the request id as well: some proxies give each request one.
        key = (batch_id, tuple(one for one in metadata if one[0] == "authorization"))
        admission = self._admissions.get(key)
        if admission is None or admission.refusal is not None:
            admission = self._admissions[key] = Admission(partial(self._get_batch, batch_id, metadata))
        admission.flags.add(flag)
        try:
            await admission.confirm()
            admission.keep()
            yield admission
        finally:
            admission.flags.discard(flag)
            if not admission.flags:
                admission.close()
                if self._admissions.get(key) is admission:
                    del self._admissions[key]
