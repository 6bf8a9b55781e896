"""OpenTelemetry traces: a span for each call, and for any other work that is given a name.

Imported only if traces are enabled: the extra `traces` may not be installed, and each span
takes some time.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from process.logs import REQUEST_ID
from rpc.answers.handlers import AroundCalls, Context, code_of

EXPORT_SECONDS_MAX = 2
"""How long a stopping server waits for its collector; Kubernetes leaves 5 s after the drain."""

_OK = grpc.StatusCode.OK


class Traces:
    """Sends spans to a collector, from a thread of its own; a collector that is away slows no call down.

    Args:
        endpoint: http://host:port of an OTLP collector.
        service: the service that the spans belong to.

    """

    def __init__(self, endpoint: str, service: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        exporter = OTLPSpanExporter(
            endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS_MAX
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("batchprogress")

    @property
    def interceptor(self) -> grpc.aio.ServerInterceptor:
        """The interceptor that makes a span of each call; it belongs outside of the error interceptor."""
        return AroundCalls(self._traced)

    @contextmanager
    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: str = "", **attributes: str | int
    ) -> Iterator[Span]:
        """Make a span that lasts as long as the context.

        Args:
            name: the name of the span.
            kind: its kind.
            parent: the traceparent of the caller (W3C Trace Context); empty: a new trace begins.
            attributes: the attributes of the span.

        """
        context = TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {})
        # Not the current span: a stream's context may be left in another task than it was entered in.
        span = self._tracer.start_span(name, context, kind, attributes)
        try:
            yield span
        finally:
            span.end()

    async def close(self) -> None:
        """Send the remaining spans, if the collector receives them in time."""
        await asyncio.to_thread(self._provider.shutdown)

    @contextmanager
    def _traced(self, method: str, context: Context) -> Iterator[None]:
        service, _, name = method.removeprefix("/").partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        attributes["request_id"] = REQUEST_ID.get()
        parent = _parent_of(context)
        with self.span(f"{service}/{name}", kind=SpanKind.SERVER, parent=parent, **attributes) as span:
            code = grpc.StatusCode.CANCELLED
            try:
                yield
                code = code_of(context)
            finally:
                span.set_attribute("rpc.grpc.status_code", code.value[0])
                if code is not _OK:
                    span.set_status(Status(StatusCode.ERROR, code.name))


def _parent_of(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "traceparent" and isinstance(value, str):
            return value
    return ""
