"""Without tokens, each connection is a caller."""

import pytest

from rpc.callers import connections
from rpc.callers.connections import ConnectionCallers
from rpc.callers.limits import Limits
from rpc.callers.principal import Role

LIMITS = Limits(watches_max=1)


def test_connection_keeps_its_caller() -> None:
    callers = ConnectionCallers(LIMITS)
    first, second = callers.caller_of("ipv4:10.0.0.1:1"), callers.caller_of("ipv4:10.0.0.1:2")
    assert first.usage is not second.usage
    assert callers.caller_of("ipv4:10.0.0.1:1") is first
    assert (first.name, first.roles, first.limits) == ("anyone", frozenset(Role), LIMITS)


def test_connection_that_has_called_least_recently_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the memory of a server would grow with every connection."""
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 2)
    callers = ConnectionCallers(LIMITS)
    first, second = callers.caller_of("a"), callers.caller_of("b")
    assert callers.caller_of("a") is first
    callers.caller_of("c")
    assert callers.caller_of("a") is first
    assert callers.caller_of("b") is not second
