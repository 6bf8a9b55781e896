"""What the server itself refuses, apart from what is wrong with a batch."""


class ShuttingDown(Exception):
    """This server is being stopped; another one, or the next, answers the same request."""


class BacklogFull(Exception):
    """The server holds as many unrecorded results as it may."""


class ForeignBatchId(Exception):
    """A caller may create only batches whose ids begin with its prefix."""

    def __init__(self, batch_prefix: str) -> None:
        """Name the prefix, which is the caller's own."""
        super().__init__(f"the ids of this caller's batches begin with {batch_prefix}")


class TooManyWatches(Exception):
    """The server holds as many watches as it may."""
