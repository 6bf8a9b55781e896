"""Lets viewers in: each is asked for with its own token, and again while it views.

Viewers of the same thing with the same token share the question.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import grpc
import structlog

from rpc.answers.refusal import Refusal
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
Viewed = TypeVar("Viewed", bound=Hashable)
Found = TypeVar("Found")

_log = structlog.get_logger()


class Admission(Generic[Found]):
    """The right of some viewers to see something.

    Args:
        ask: asks for it with their token; raises an Answer.
        lasts: whether what was found later gives the same right as what was found first.

    """

    def __init__(
        self, ask: Callable[[], Coroutine[Any, Any, Found]], lasts: Callable[[Found, Found], bool]
    ) -> None:
        self._ask = ask
        self._lasts = lasts
        self._asking: asyncio.Task[Found] | None = None
        self._asked_at = 0.0
        self._keeping: asyncio.Task[None] | None = None
        self.flags: set[asyncio.Event] = set()
        """The flags of the viewers."""
        self.refusal: Answer | None = None
        """Why they may not see it any longer."""

    async def confirm(self) -> Found:
        """Ask, unless it was asked within the last second; return what was found.

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
                return await asyncio.shield(self._asking)
        except TimeoutError:
            raise to_answer(unreached(grpc.StatusCode.DEADLINE_EXCEEDED)) from None

    def keep(self, found: Found) -> None:
        """Ask again from time to time; the right is that to what was found."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(found))

    def close(self) -> None:
        """Ask no more."""
        for task in (self._asking, self._keeping):
            if task is not None:
                task.cancel()

    async def _keep(self, found: Found) -> None:
        while self.refusal is None:
            await asyncio.sleep(ASKED_AGAIN_SECONDS * random.uniform(0.8, 1))  # noqa: S311  # jitter is no secret
            try:
                if not self._lasts(found, await self.confirm()):
                    self.refusal = _changed()
            except Answer as answer:
                self.refusal = answer if answer.grpc_code in REFUSED else None
            except Exception as defect:  # noqa: BLE001  # nobody awaits this task, and viewers must be asked for
                _log.error("unexpected error", exc_info=defect)
        for flag in self.flags:
            flag.set()


class Admissions(Generic[Viewed, Found]):
    """The admissions of all viewers.

    Args:
        ask: asks for something with the metadata of a viewer; raises an Answer.
        lasts: whether what was found later gives the same right as what was found first. Default: always.

    """

    def __init__(
        self,
        ask: Callable[[Viewed, Metadata], Coroutine[Any, Any, Found]],
        lasts: Callable[[Found, Found], bool] = lambda _first, _later: True,
    ) -> None:
        self._ask = ask
        self._lasts = lasts
        self._admissions: dict[tuple[Viewed, Metadata], Admission[Found]] = {}

    @asynccontextmanager
    async def admitted(
        self, viewed: Viewed, metadata: Metadata, flag: asyncio.Event
    ) -> AsyncIterator[tuple[Admission[Found], Found]]:
        """Let a viewer in while the context is open.

        Args:
            viewed: what it wants to see.
            metadata: what the viewer has sent, with its token.
            flag: is set when it is refused later.

        Yields:
            Its admission, and what was found.

        Raises:
            Answer: it may not see it, or the call has failed.

        """
        # Not by the request id as well: some proxies give each request one.
        key = (viewed, tuple(one for one in metadata if one[0] == "authorization"))
        admission = self._admissions.get(key)
        if admission is None or admission.refusal is not None:
            admission = self._admissions[key] = Admission(partial(self._ask, viewed, metadata), self._lasts)
        admission.flags.add(flag)
        try:
            found = await admission.confirm()
            admission.keep(found)
            yield admission, found
        finally:
            admission.flags.discard(flag)
            if not admission.flags:
                admission.close()
                if self._admissions.get(key) is admission:
                    del self._admissions[key]


def _changed() -> Answer:
    message = "the rights of this token have changed: connect again"
    return to_answer(Refusal(grpc.StatusCode.PERMISSION_DENIED, "RIGHTS_CHANGED", message))
