"""Services that are imported when they are first called: few people call them, and every server starts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from rpc.answers.handlers import Handler

AddToServer = Callable[[Any], None]
"""Imports a servicer and registers it with what takes the place of a server."""

AddServicer = Callable[[Any, Any], None]
"""Registers a servicer with what takes the place of a server: the function that protoc generates."""


class LazyService(grpc.GenericRpcHandler):
    """The methods of a service, which is imported at the first call of one of them.

    The import takes a tenth of a second, once, in which no other call of the process goes on.

    Args:
        name: the full name of the service, package.Service.
        add: imports the servicer and registers it.

    """

    def __init__(self, name: str, add: AddToServer) -> None:
        self._prefix = f"/{name}/"
        self._add = add
        self._handlers: Sequence[grpc.GenericRpcHandler] | None = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """Return the handler of a method; None if it belongs to another service."""
        if not handler_call_details.method.startswith(self._prefix):
            return None
        if self._handlers is None:
            collected = _Collected()
            self._add(collected)
            self._handlers = collected.handlers
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next((handler for handler in found if handler is not None), None)


class _Collected:
    """What a servicer is registered with, in place of a server."""

    def __init__(self) -> None:
        self.handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Keep the handlers."""
        self.handlers += generic_rpc_handlers

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Do nothing: they are among the generic handlers, too."""
