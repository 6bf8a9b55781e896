"""What can go wrong between a test and its database server."""


class DatabaseServerUnavailable(Exception):
    """No such server is on this machine and none can be set up; the message is one sentence saying why."""


class DatabaseServerFailed(Exception):
    """A server that was found did not start or did not obey; the message ends with the end of its log."""


class PackageUnavailable(Exception):
    """A Debian package cannot be had on this machine; the message is half a sentence saying why."""


class CommandFailed(Exception):
    """A command is missing, took too long or exited non-zero; the message is one line."""
