"""Totals over all batches, for metrics. Pure."""

from dataclasses import dataclass

from batches.batch import BatchState


@dataclass(frozen=True, slots=True)
class Overview:
    """Totals over all batches; each stops at the limit that batches.store.overview gives for it."""

    batches: dict[BatchState, int]
    stuck_batches: int
    """Batches in PROCESSING without a result for so long that the reconciler checks them."""
    oldest_silence_seconds: float
    """The longest time since the last result of a batch in PROCESSING; 0 if there is no such batch."""
    reconciler_silence_seconds: float
    """The time since the newest pass of the reconciler over all batches; infinite if there was none."""
    batches_need_person: int
    """Batches in PROCESSING that no pass will end, as the newest look at them found."""
    recent_repairs: int
    """Repairs that the reconciler made within the last hour."""
    recent_repaired_jobs: int
    """Results that these repairs recorded or counted, and no worker had reported."""
    clock_jump_seconds: float = 0.0
    """How far the database's clock had jumped ahead when the newest pass began; 0 if it had not."""
