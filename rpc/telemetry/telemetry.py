"""A server's telemetry: metrics and logs of its calls, and traces if they are enabled."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import grpc

from process.configuration import refuse
from rpc.answers.error_interceptor import CallHooks
from rpc.settings import ServerSettings
from rpc.telemetry.calls import CallObserver
from rpc.telemetry.metrics import CallMetrics, new_registry

if TYPE_CHECKING:  # an extra, which may not be installed
    from rpc.telemetry.tracing import Traces


class Telemetry:
    """The registry of metrics, the traces, and the hooks and interceptors that feed both.

    Args:
        settings: the settings of the server.
        service: the full name of the service, which traces carry.
        methods: the methods (/package.Service/Method) that have metrics of their own.

    Raises:
        SystemExit: with code 78, if traces are enabled and their extra is not installed.

    """

    def __init__(self, settings: ServerSettings, service: str, methods: Iterable[str]) -> None:
        self.registry = new_registry()
        self.traces = _traces(settings.traces_endpoint, service)
        metrics = CallMetrics(self.registry, methods)
        observer = CallObserver(metrics.observe, log_calls=settings.log_calls)
        self.hooks = CallHooks(arrived=observer.arrived, observe=observer.observe)
        self.interceptors: tuple[grpc.aio.ServerInterceptor, ...] = (
            () if self.traces is None else (self.traces.interceptor,)
        )

    async def close(self) -> None:
        """Send the remaining spans."""
        if self.traces is not None:
            await self.traces.close()


def _traces(endpoint: str | None, service: str) -> "Traces | None":
    if endpoint is None:
        return None
    try:
        from rpc.telemetry.tracing import Traces  # noqa: PLC0415  # only if traces are enabled
    except ImportError:
        refuse(
            "traces are enabled, but the extra `traces` is not installed (opentelemetry-sdk, OTLP exporter)"
        )
    return Traces(endpoint, service)
