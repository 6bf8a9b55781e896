"""What the plain reads share: they are made by GET, and their calls are counted."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from starlette.types import Receive, Scope, Send

from rpc.telemetry.metrics import CallMetrics
from services.gateway.contract.answers import Answer
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.json_answers import send_not_allowed
from services.gateway.contract.methods import Method


class CountedRead(ABC):
    """Answers GET with what calls of the progress server return.

    Args:
        forwarder: makes the calls.
        metrics: counts them.

    """

    def __init__(self, forwarder: Forwarder, metrics: CallMetrics) -> None:
        self._forwarder = forwarder
        self._metrics = metrics

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "GET":
            await send_not_allowed(send)
        else:
            await self.answer(scope, send)

    @abstractmethod
    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer a GET; errors, too."""

    @contextmanager
    def counted(self, method: Method) -> Iterator[None]:
        """Count a call of a method by its duration and by the Answer that the context raises."""
        began, code = time.perf_counter(), grpc.StatusCode.OK
        try:
            yield
        except Answer as answer:
            code = answer.grpc_code
            raise
        finally:
            self._metrics.observe(method.path, code, time.perf_counter() - began)
