"""Database servers from packages of Debian sid, unpacked on a machine with any release of Debian."""

from functools import partial
from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.cache import shown
from database_servers.commands import output_of
from database_servers.debian_packages import incomplete, program_command, unpacked_package
from database_servers.engines import TRAITS, Engine, version_of
from database_servers.errors import (
    CommandFailed,
    DatabaseServerFailed,
    DatabaseServerUnavailable,
    PackageUnavailable,
)
from database_servers.initial_data import initial_data
from database_servers.process_server import ProcessServer
from database_servers.server import FoundServer

# Prints one line at once; the rest allows for a cold disk.
VERSION_SECONDS_MAX = 30.0


def find_in_debian(engine: Engine) -> FoundServer:
    """Return a way to the unpacked server, after downloading it if needed.

    Raises:
        DatabaseServerUnavailable: it cannot be downloaded, or does not work.

    """
    try:
        tree = unpacked_package(TRAITS[engine].package)
        binaries = unpacked_binaries(engine, tree)
        version_text = output_of(
            *binaries.command, "--no-defaults", "--version", seconds_max=VERSION_SECONDS_MAX
        )
        data = initial_data(binaries)
    except PackageUnavailable as error:
        raise _unavailable(engine, str(error)) from error
    except CommandFailed as error:
        raise _unavailable(engine, f"its Debian package could not be set up: {error}") from error
    except DatabaseServerFailed as error:
        raise _unavailable(engine, f"its Debian package does not work: {error.in_one_line}") from error
    description = (
        f"{TRAITS[engine].label} {version_of(version_text)} (Debian package, unpacked in {shown(tree)})"
    )
    return FoundServer(description, partial(ProcessServer, binaries, initial_data=data))


def unpacked_binaries(engine: Engine, tree: Path) -> Binaries:
    """Return how to start a server from the folder with its unpacked packages."""
    share = next((folder for folder in tree.glob("usr/share/m*") if (folder / "charsets").is_dir()), None)
    if share is None:
        raise incomplete(tree)
    return Binaries(
        engine,
        command=program_command(tree, f"usr/sbin/{TRAITS[engine].programs[0]}"),
        prefix=tree / "usr",
        path_options=(
            f"--basedir={tree / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={share.parent.parent / 'lib' / share.name / 'plugin'}",
        ),
    )


def _unavailable(engine: Engine, reason: str) -> DatabaseServerUnavailable:
    traits = TRAITS[engine]
    return DatabaseServerUnavailable(
        f"No {traits.label} to start here: no {traits.programs[0]} "
        f"{'.'.join(map(str, traits.oldest_version))} or newer is installed, Docker does not answer, "
        f"and {reason}; {traits.url_variable} can name a server elsewhere."
    )
