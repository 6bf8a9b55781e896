"""What can go wrong between a test and its database server."""


class DatabaseServerUnavailable(Exception):  # noqa: N818 - it states a condition of the machine, not a fault in the code
    """No such server is on this machine and none can be set up; the message is one sentence saying why."""


class DatabaseServerFailed(Exception):  # noqa: N818 - "Failed" already says it
    """A server that was found did not start or did not obey; the message ends with the end of its log."""


class PackageUnavailable(Exception):  # noqa: N818 - a condition of the machine as well
    """A Debian package cannot be had on this machine; the message is half a sentence saying why."""


class CommandFailed(Exception):  # noqa: N818 - "Failed" already says it
    """A command is missing, took too long or exited non-zero; the message is one line."""
