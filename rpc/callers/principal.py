"""Who makes a call: one object, made when the call is let in, asked for by whoever needs it."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from rpc.callers.limits import UNLIMITED, Limits, Usage


class Role(StrEnum):
    """What a caller may do; a service says which of its methods needs which."""

    WORKER = "worker"
    """Reports results."""
    READER = "reader"
    """Reads and watches."""
    OPERATOR = "operator"
    """Creates, changes and cancels batches."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that was recognised."""

    name: str
    roles: frozenset[Role]
    batch_prefix: str = ""
    """What the ids of its batches begin with; other batches do not exist for it. Empty: all are its own."""
    limits: Limits = UNLIMITED
    usage: Usage = field(default_factory=Usage, compare=False)
    """What it uses right now; one for all tokens with its name."""

    def owns(self, batch_id: str) -> bool:
        """Whether it may know of a batch."""
        return batch_id.startswith(self.batch_prefix)


ANYONE = Principal("anyone", frozenset(Role))
"""Every caller of a server that asks for no tokens; of one that does, whoever showed none that it knows."""

_caller: ContextVar[Principal] = ContextVar("caller", default=ANYONE)


def caller() -> Principal:
    """Return who makes the call that is being answered."""
    return _caller.get()


def set_caller(principal: Principal) -> None:
    """Say who makes the call; its handler runs in the same context."""
    _caller.set(principal)
