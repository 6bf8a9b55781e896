"""The contract as an ASGI application, made from the descriptors of its services."""

from collections.abc import Mapping
from typing import Any

from connectrpc.server import ConnectASGIApplication
from starlette.types import ASGIApp

from rpc.telemetry.metrics import CallMetrics
from services.gateway.contract.forwarding import AnyEndpoint, Forwarder
from services.gateway.contract.messages import CODECS
from services.gateway.contract.methods import Method
from services.gateway.contract.observing import CallObserver
from services.gateway.contract.plain_posts import GZIP, PlainPosts
from services.gateway.contract.request_bodies import BODY_BYTES_MAX, RequestBodies

Endpoints = Mapping[str, AnyEndpoint]


class _Application(ConnectASGIApplication[Endpoints]):
    @property
    def path(self) -> str:
        """The path below which it is mounted: each endpoint has its whole path."""
        return ""


def contract_application(methods: tuple[Method, ...], forwarder: Forwarder, metrics: CallMetrics) -> ASGIApp:
    """Return the application.

    Args:
        methods: the methods to serve.
        forwarder: answers the calls.
        metrics: counts them.

    """
    endpoints: Endpoints = {method.path: forwarder.endpoint(method) for method in methods}
    application: Any = _Application(
        service=endpoints,
        endpoints=lambda made: made,
        interceptors=[CallObserver(metrics)],
        read_max_bytes=BODY_BYTES_MAX,
        compressions=[GZIP],
        codecs=CODECS,
    )
    return PlainPosts(methods, forwarder, metrics, RequestBodies(application))
