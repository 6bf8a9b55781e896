"""Without tokens all callers are one; then each connection counts as a caller, for limits and for turns."""

from collections import OrderedDict
from dataclasses import replace

from rpc.answers.error_interceptor import Enter
from rpc.answers.handlers import Context
from rpc.callers.authorization import PUBLIC_PREFIX
from rpc.callers.limits import Limits, Usage
from rpc.callers.principal import ANYONE, Principal, set_caller

CONNECTIONS_MAX = 10_000
"""Connections whose use is remembered, some 4 MB: several times the workers of one server. The one that has
called least recently is forgotten; its limits begin again."""


class ConnectionCallers:
    """Makes the connection of a call its caller, who may do everything.

    Args:
        limits: the limits of each connection.

    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._callers: OrderedDict[str, Principal] = OrderedDict()

    def enter_of(self, method: str) -> Enter | None:
        """Return what sets the caller of a call of a method; health needs no caller."""
        return None if method.startswith(PUBLIC_PREFIX) else self.enter

    def enter(self, context: Context) -> None:
        """Set the caller of a call.

        Raises:
            Refusal: CALLER_RATE.

        """
        principal = self.caller_of(context.peer())
        set_caller(principal)
        principal.usage.count_call(principal.limits)

    def caller_of(self, peer: str) -> Principal:
        """Return the caller for a connection, which gRPC names by the client's address."""
        known = self._callers.get(peer)
        if known is None:
            known = self._callers[peer] = replace(ANYONE, limits=self._limits, usage=Usage())
            if len(self._callers) > CONNECTIONS_MAX:
                self._callers.popitem(last=False)
        else:
            self._callers.move_to_end(peer)
        return known
