"""Decides which calls a caller may make, inside the error interceptor, before a message is read."""

from collections.abc import Callable, Mapping

import grpc
from grpc_health.v1 import health

from rpc.answers.refusal import Refusal
from rpc.callers.principal import Principal, Role, set_caller

PUBLIC_PREFIX = f"/{health.SERVICE_NAME}/"
"""Health reveals only whether a server is ready, and load balancers ask for it without a token."""

RequiredRoles = Mapping[str, Role | None]
"""The role that each method (/package.Service/Method) requires; None: any. A method without an entry is
forbidden to everybody."""

_AUTHORIZATION = "authorization"

Authenticate = Callable[[str], Principal | None]
"""Returns the caller that an `authorization` header belongs to; None if it has no valid token. Raises Refusal
(TOKEN_EXPIRED) for an expired watch token."""


class Authorization:
    """Allows a call if its caller is known and has the role that the method requires.

    Args:
        authenticate: finds the caller of a call.
        required_roles: the role that each method requires.

    """

    def __init__(self, authenticate: Authenticate, required_roles: RequiredRoles) -> None:
        self._authenticate = authenticate
        self._required_roles = required_roles

    def authorize(self, call: grpc.HandlerCallDetails, exists: bool) -> None:  # noqa: FBT001  # of CallHooks
        """Set the caller of a call.

        Args:
            call: the call.
            exists: whether its method does; otherwise no role is missing.

        Raises:
            Refusal: TOKEN_INVALID, TOKEN_EXPIRED, CALLER_RATE or ROLE_MISSING.

        """
        method = call.method
        if method.startswith(PUBLIC_PREFIX):
            return
        principal = self._authenticate(_authorization_of(call))
        if principal is None:  # missing or wrong: the same answer, so that it reveals nothing
            raise Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "this call needs a valid token")
        # Before anything is refused: a forbidden call counts towards the caller's rate, and the log names it.
        set_caller(principal)
        principal.usage.count_call(principal.limits)
        if exists:
            self._require(principal, method)

    def _require(self, principal: Principal, method: str) -> None:
        if principal.watch_grant is not None:
            if method in principal.watch_grant.methods:
                return
            needed = "a token with a role, and not a watch token"
        elif method not in self._required_roles:
            needed = "a role that does not exist"
        else:
            role = self._required_roles[method]
            if role is None or role in principal.roles:
                return
            needed = f"the role {role}"
        raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", f"this call needs {needed}")


def _authorization_of(details: grpc.HandlerCallDetails) -> str:
    for key, value in details.invocation_metadata or ():
        if key == _AUTHORIZATION and isinstance(value, str):
            return value
    return ""
