"""A service that is imported when one of its methods is called."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from rpc.serving.lazy_service import LazyService

SERVICE = "grpc.channelz.v1.Channelz"


@dataclass
class Details:
    """What gRPC tells about a call that arrives."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...] = ()


class Added:
    """Registers a servicer with one method, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, server: Any) -> None:
        """Register it."""
        self.times += 1
        handler: Any = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Get": handler}),))


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", f"/{SERVICE}Too/Get", f"/{SERVICE}"])
def test_a_call_of_another_service_does_not_import_it(method: str) -> None:
    """Each call of the port asks every service for its handler, and health checks come every few seconds."""
    add = Added()
    assert LazyService(SERVICE, add).service(Details(method)) is None
    assert add.times == 0


def test_it_is_imported_by_the_first_of_its_calls_only() -> None:
    add = Added()
    service = LazyService(SERVICE, add)
    assert service.service(Details(f"/{SERVICE}/Get")) is not None
    assert service.service(Details(f"/{SERVICE}/Unknown")) is None
    assert add.times == 1
