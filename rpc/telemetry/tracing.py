"""OpenTelemetry traces: a span for each call, and for whatever else is named.

Imported only if traces are asked for: the extra `traces` may not be installed, and each
span costs some time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from process.logs import REQUEST_ID
from rpc.answers.handlers import Context, Handler, code_of, wrapped

EXPORT_SECONDS_MAX = 2
"""At the end a server waits so long for its collector; Kubernetes gives it 5 s after its drain."""

_OK = grpc.StatusCode.OK


class Traces:
    """Sends spans to a collector, in a thread of its own; a collector that is away costs no call anything."""

    def __init__(self, endpoint: str, service: str) -> None:
        """Take http://host:port of an OTLP collector, and the name that the spans are of."""
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        exporter = OTLPSpanExporter(
            endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS_MAX
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("batchprogress")

    @property
    def interceptor(self) -> grpc.aio.ServerInterceptor:
        """What makes a span of each call; to stand outside of the error boundary."""
        return _TracedCalls(self.span)

    @contextmanager
    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, parent: str = "", **attributes: str | int
    ) -> Iterator[Span]:
        """Make a span of what is done meanwhile; `parent` is a traceparent as in W3C Trace Context."""
        context = TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {})
        # Not as the current one: a stream's context may be left in another task than it was entered in.
        span = self._tracer.start_span(name, context, kind, attributes)
        try:
            yield span
        finally:
            span.end()

    async def close(self) -> None:
        """Send what is left, if the collector takes it in time."""
        await asyncio.to_thread(self._provider.shutdown)


class _TracedCalls(grpc.aio.ServerInterceptor):
    def __init__(self, span: Callable[..., AbstractContextManager[Span]]) -> None:
        self._span = span

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method, parent = handler_call_details.method, _parent_of(handler_call_details)
        return wrapped(handler, lambda context: self._around(method, parent, context))

    @contextmanager
    def _around(self, method: str, parent: str, context: Context) -> Iterator[None]:
        service, _, name = method.removeprefix("/").partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        attributes["request_id"] = REQUEST_ID.get()
        with self._span(f"{service}/{name}", kind=SpanKind.SERVER, parent=parent, **attributes) as span:
            code = grpc.StatusCode.CANCELLED
            try:
                yield
                code = _OK
            except grpc.aio.AbortError:
                code = code_of(context)
                raise
            finally:
                span.set_attribute("rpc.grpc.status_code", code.value[0])
                if code is not _OK:
                    span.set_status(Status(StatusCode.ERROR, code.name))


def _parent_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == "traceparent" and isinstance(value, str):
            return value
    return ""
