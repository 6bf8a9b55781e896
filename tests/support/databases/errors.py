"""What can go wrong between a test and its database server."""


class DatabaseServerUnavailable(Exception):  # noqa: N818 - it states a condition of the machine, not a fault in the code
    """No such server is on this machine and none can be set up; the message is one sentence saying why."""


class DatabaseServerFailed(Exception):  # noqa: N818 - "Failed" already says it
    """A server that was found did not start or did not obey; the message ends with the end of its log."""


class CommandFailed(Exception):  # noqa: N818 - "Failed" already says it
    """A command is missing, took too long or exited non-zero; the message is one line."""
