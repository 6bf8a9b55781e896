"""What is seen of a server: metrics and logs of its calls, and traces if they are asked for."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import grpc

from process.configuration import refuse
from rpc.settings import ServerSettings
from rpc.telemetry.calls import CallObserver
from rpc.telemetry.metrics import CallMetrics, new_registry

if TYPE_CHECKING:  # an extra, which may not be installed
    from rpc.telemetry.tracing import Traces


class Observing:
    """Made first and closed last."""

    def __init__(self, settings: ServerSettings, service: str, methods: Iterable[str]) -> None:
        """Take the methods (/package.Service/Method) that metrics name; exit 78 if traces cannot be made."""
        self.registry = new_registry()
        self.traces = _traces(settings.traces_endpoint, service)
        metrics = CallMetrics(self.registry, methods)
        observer = CallObserver(metrics.ended, log_calls=settings.log_calls)
        traced = () if self.traces is None else (self.traces.interceptor,)
        self.interceptors: tuple[grpc.aio.ServerInterceptor, ...] = (observer, *traced)

    async def close(self) -> None:
        """Send the spans that are left."""
        if self.traces is not None:
            await self.traces.close()


def _traces(endpoint: str | None, service: str) -> "Traces | None":
    if endpoint is None:
        return None
    try:
        from rpc.telemetry.tracing import Traces  # noqa: PLC0415  # only if asked for
    except ImportError:
        refuse(
            "traces are asked for, and the extra `traces` is not installed (opentelemetry-sdk, OTLP exporter)"
        )
    return Traces(endpoint, service)
