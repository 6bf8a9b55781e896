"""Who may make which call: the interceptor inside the error boundary, before any message is read."""

from collections.abc import Awaitable, Callable, Mapping

import grpc
from grpc_health.v1 import health

from rpc.answers.handlers import Handler
from rpc.answers.refusal import Refusal
from rpc.callers.authentication import Authenticator
from rpc.callers.principal import Principal, Role, set_caller

PUBLIC_PREFIX = f"/{health.SERVICE_NAME}/"
"""Health says only whether a server is ready, and load balancers ask for it without a token."""

_AUTHORIZATION = "authorization"


class Gate(grpc.aio.ServerInterceptor):
    """Lets a call in if its caller is known and has the role that the method needs."""

    def __init__(self, authenticator: Authenticator, needed: Mapping[str, Role]) -> None:
        """Take who knows the callers, and the role for each method (/package.Service/Method).

        A method that is not named there is let in for nobody.
        """
        self._authenticator = authenticator
        self._needed = needed

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Let the call in, or raise Refusal."""
        method = handler_call_details.method
        if method.startswith(PUBLIC_PREFIX):
            return await continuation(handler_call_details)
        principal = self._recognised(handler_call_details)
        # Before anything else is refused: what it may not do counts towards its rate, and is logged as its.
        set_caller(principal)
        principal.usage.take_call(principal.limits)
        handler = await continuation(handler_call_details)
        if handler is not None:  # else the boundary says that there is no such method
            _require(principal, self._needed.get(method))
        return handler

    def _recognised(self, details: grpc.HandlerCallDetails) -> Principal:
        """Return who calls; every token that is missing or wrong gets one answer: it tells nothing."""
        principal = self._authenticator.principal(_authorization_of(details))
        if principal is None:
            raise Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "this call needs a valid token")
        return principal


def _authorization_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == _AUTHORIZATION and isinstance(value, str):
            return value
    return ""


def _require(principal: Principal, role: Role | None) -> None:
    if role is None or role not in principal.roles:
        needed = f"the role {role}" if role is not None else "a role that there is not"
        raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", f"this call needs {needed}")
