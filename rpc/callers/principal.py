"""The caller of a request: made when the call is authenticated, available to all code that answers it."""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from rpc.answers.fields import IDENTIFIER, IDENTIFIER_RULE
from rpc.callers.limits import UNLIMITED, Limits, Usage

PREFIX = re.compile(r"[\x21-\x7e]{0,64}")


def _checked_name(text: str) -> str:
    if not IDENTIFIER.fullmatch(text):
        raise ValueError(f"must be {IDENTIFIER_RULE}")
    return text


def _checked_prefix(text: str) -> str:
    if not PREFIX.fullmatch(text):
        raise ValueError("must be at most 64 printable ASCII characters without spaces")
    return text


CallerName = Annotated[str, AfterValidator(_checked_name)]
BatchPrefix = Annotated[str, AfterValidator(_checked_prefix)]


class Role(StrEnum):
    """What a caller may do; each service says which of its methods needs which role."""

    WORKER = "worker"
    """Reports results."""
    READER = "reader"
    """Reads and watches batches."""
    OPERATOR = "operator"
    """Creates, changes and cancels batches."""


@dataclass(frozen=True, slots=True)
class WatchGrant:
    """What a watch token allows, in place of roles and of a prefix."""

    batch_id: str
    """The one batch that exists for the caller."""
    methods: frozenset[str]
    """The methods (/package.Service/Method) that it may call."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller."""

    name: CallerName
    roles: frozenset[Role]
    batch_prefix: BatchPrefix = ""
    """The caller's batches are those whose ids begin with this; others do not exist for it. Empty: all."""
    limits: Limits = UNLIMITED
    usage: Usage = field(default_factory=Usage, compare=False)
    """What the caller uses now; all tokens with its name share it."""
    is_authenticated: bool = True
    """Whether it has a token."""
    watch_grant: WatchGrant | None = None
    """What its watch token allows; None: the caller has another token."""

    def owns(self, batch_id: str) -> bool:
        """Return whether a batch exists for the caller."""
        if self.watch_grant is not None:
            return batch_id == self.watch_grant.batch_id
        return batch_id.startswith(self.batch_prefix)


ANYONE = Principal("anyone", frozenset(Role), is_authenticated=False)
"""The caller of a server without authentication, and of a call before it is authenticated."""

_caller: ContextVar[Principal] = ContextVar("caller", default=ANYONE)


def caller() -> Principal:
    """Return the caller of the request that is being answered."""
    return _caller.get()


def set_caller(principal: Principal) -> None:
    """Set the caller of the request; its handler runs in the same context."""
    _caller.set(principal)
