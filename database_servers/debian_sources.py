"""Which Debian archive this machine uses, from apt's own settings."""

import re
from pathlib import Path

from database_servers.commands import output_of

OS_RELEASE = Path("/etc/os-release")
# The key that signs the archive; the name of the file depends on the release.
ARCHIVE_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
RELEASE_FILE = re.compile(r"^'(?P<mirror>\S+)/dists/(?P<suite>[^/']+)/InRelease'", re.MULTILINE)
# Suites of archives that do not have sid or a release.
OTHER_SUITES = ("-security", "-updates", "-backports")
PRINT_SECONDS_MAX = 30.0


def is_debian() -> bool:
    """Return whether this machine runs Debian itself; derivatives have other mirrors and keys."""
    return (
        OS_RELEASE.is_file()
        and re.search(r'^ID="?debian"?$', OS_RELEASE.read_text(), re.MULTILINE) is not None
    )


def release() -> str:
    """Return the code name of this machine's release; the suite sid if it has none, as unstable ones."""
    found = re.search(r'^VERSION_CODENAME="?(\w+)"?$', OS_RELEASE.read_text(), re.MULTILINE)
    return found[1] if found else "sid"


def mirrors() -> list[str]:
    """Return the URIs of archives that may have all suites, in the order of apt's settings.

    Raises:
        CommandFailed: apt cannot read its settings.

    """
    # Prints what an update would download, for any format of the settings, without downloading.
    printed = output_of("apt-get", "update", "--print-uris", seconds_max=PRINT_SECONDS_MAX)
    found = RELEASE_FILE.findall(printed)
    return list(dict.fromkeys(mirror for mirror, suite in found if not suite.endswith(OTHER_SUITES)))


def archive_keyring() -> Path | None:
    """Return the file with the keys of the archive."""
    return next((path for path in ARCHIVE_KEYRINGS if path.is_file()), None)
