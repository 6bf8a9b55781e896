"""The errors of finding, starting and controlling a server."""


class DatabaseServerUnavailable(Exception):
    """This machine has no such server and cannot set one up; the message is one sentence."""


class DatabaseServerFailed(Exception):
    """A server did not start or did not obey; the message is a sentence, then the end of the server's log."""

    @property
    def in_one_line(self) -> str:
        """Return the sentence and the last line of the log."""
        sentence, *log = str(self).splitlines()
        return " ".join((sentence, *log[-1:]))


class PackageUnavailable(Exception):
    """This machine cannot get a Debian package; the message is a reason without a full stop."""


class CommandFailed(Exception):
    """A command is missing, took too long or exited non-zero; the message is one line."""
