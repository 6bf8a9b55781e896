"""What the server itself refuses, apart from what is wrong with a batch."""


class ShuttingDown(Exception):  # noqa: N818  # the condition, as in the contract
    """This server is being stopped; another one, or the next, answers the same request."""


class BacklogFull(Exception):  # noqa: N818
    """The server holds as many unrecorded results as it may."""


class TooManyWatches(Exception):  # noqa: N818
    """The server holds as many watches as it may."""
