"""The passes of the reconciler, as the database keeps them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from batches.clock import PassTime

KEPT_PASSES_MAX = 1_000
"""Three and a half days of a pass every five minutes. As many passes by hand are kept beside them, so that a
script that repairs one batch after the other does not push the scheduled passes out."""


@dataclass(frozen=True, slots=True)
class PassKind:
    """Who asked for a pass, and for what."""

    manual: bool = False
    """Whether a person asked for it, for one batch or for all."""
    one_batch: bool = False
    """Whether it was over one batch: such a pass does not show that the scheduled ones run."""


SCHEDULED = PassKind()


@dataclass(frozen=True, slots=True)
class BegunPass:
    """A pass that has begun."""

    pass_key: int
    time: PassTime


@dataclass(frozen=True, slots=True, kw_only=True)
class PassNumbers:
    """What a pass did."""

    batches_looked_at: int = 0
    batches_repaired: int = 0
    batches_left: Mapping[str, int] = field(default_factory=dict)
    """How many batches were left, by the reason."""
    errors: int = 0
    """How many of those need another try or a person."""
    cut_short: str = ""
    """Why the pass did not come to its end, as a sentence for a person; empty if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass that was kept."""

    pass_key: int
    start_time: datetime
    end_time: datetime | None
    """None while it runs, and for good if it was killed."""
    manual: bool
    numbers: PassNumbers
    """Zero until the pass has ended, and for passes of reconcilers before schema 0007."""
