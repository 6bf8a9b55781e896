"""What can go wrong between a test and its database server."""


class DatabaseServerUnavailable(Exception):
    """No such server is on this machine and none can be set up; the message is one sentence saying why."""


class DatabaseServerFailed(Exception):
    """A server did not start or did not obey; the message is a sentence, then the end of the server's log."""

    @property
    def in_one_line(self) -> str:
        """Return the sentence and the last line of the log."""
        sentence, *log = str(self).splitlines()
        return " ".join((sentence, *log[-1:]))


class PackageUnavailable(Exception):
    """A Debian package cannot be had on this machine; the message is half a sentence saying why."""


class CommandFailed(Exception):
    """A command is missing, took too long or exited non-zero; the message is one line."""
