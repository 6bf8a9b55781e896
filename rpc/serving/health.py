"""Readiness and liveness of a server, as grpc.health.v1.

Of several processes on the same ports, each answers its own clients about itself, since a connection stays
with its process; the admin port answers about all of them, whichever gets the probe.

"" and the names of the services show whether the server is ready, "liveness" shows that the process runs.
Kubernetes removes a pod that is not ready from its Service but kills a pod that is not alive: if the database
is away, only the former may happen.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from grpc_health.v1 import health_pb2

from process.children.child import Child
from rpc.serving.health_servicer import HealthServicer

LIVENESS = "liveness"
CHECK_PERIOD_SECONDS = 2.0
"""Well below the 10 s between Kubernetes' probes, so that a probe never gets an old answer."""
CHECK_SECONDS_MAX = 2.0
"""A store that takes longer for the smallest read is not ready."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_log = structlog.get_logger()


class Health:
    """Checks the backing store regularly, and tells the health servicer. Not ready before the first check.

    Args:
        services: the full names of the services.
        check: a call that fails while the store does not answer.
        child: this process among several; None if it is the only one.

    """

    def __init__(
        self, services: Sequence[str], check: Callable[[], Awaitable[object]], child: Child | None = None
    ) -> None:
        self._names = ("", *services)
        states = {LIVENESS: _SERVING, **dict.fromkeys(self._names, _NOT_SERVING)}
        self.servicer = HealthServicer(states)
        self.admin_servicer = self.servicer if child is None else HealthServicer(states)
        """Answers probes: about all processes."""
        if child is not None and child.are_all_ready():
            # A probe that meets a process which has just started is answered about those that serve.
            self._tell_probes(ready=True)
        self._child = child
        self._check = check
        self._ready: bool | None = None
        self._draining = False
        self._checking: asyncio.Future[object] | None = None

    async def run(self) -> None:
        """Check for ever. When cancelled, let a running check end, since its store is closed next."""
        try:
            while True:
                self._set_ready(ready=await self._store_answers())
                self._tell_of_all()
                await asyncio.sleep(CHECK_PERIOD_SECONDS)
        finally:
            if self._checking is not None:
                with suppress(Exception):  # its result no longer matters
                    await asyncio.wait_for(self._checking, CHECK_SECONDS_MAX)

    def drain(self) -> None:
        """Stay not ready from now on, and end the watches of health."""
        self._draining = True
        self._set_ready(ready=False)
        self._tell_of_all()
        self.servicer.close()
        self.admin_servicer.close()

    @property
    def is_ready(self) -> bool:
        """Whether the server is ready."""
        return self._ready is True

    async def _store_answers(self) -> bool:
        """Check once. A check that still waits is not repeated: a frozen store would collect them."""
        if self._checking is None:
            self._checking = asyncio.ensure_future(self._check())
        done, _ = await asyncio.wait([self._checking], timeout=CHECK_SECONDS_MAX)
        if not done:
            return self._not_ready("no answer in time")
        checked, self._checking = self._checking, None
        error = checked.exception()
        return error is None or self._not_ready(type(error).__name__)

    def _not_ready(self, reason: str) -> bool:
        if self._ready is not False:
            _log.warning("not ready", reason=reason)
        return False

    def _set_ready(self, *, ready: bool) -> None:
        ready = ready and not self._draining
        if ready == self._ready:
            return
        if ready and self._ready is False:
            _log.info("ready again")
        self._ready = ready
        for name in self._names:
            self.servicer.set(name, _SERVING if ready else _NOT_SERVING)

    def _tell_of_all(self) -> None:
        """Tell the other processes of this one, and the admin port of all."""
        if self._child is None:
            return
        self._child.tell_ready(ready=self.is_ready)
        self.admin_servicer.set(LIVENESS, _SERVING if self._child.are_all_alive() else _NOT_SERVING)
        self._tell_probes(ready=self.is_ready and self._child.are_all_ready())

    def _tell_probes(self, *, ready: bool) -> None:
        for name in self._names:
            self.admin_servicer.set(name, _SERVING if ready else _NOT_SERVING)
