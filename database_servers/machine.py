"""Servers that are installed on this machine."""

import os
import shutil
from functools import partial
from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.commands import output_of
from database_servers.engines import TRAITS, Engine, engine_of, is_recent_enough, version_of
from database_servers.errors import CommandFailed, DatabaseServerFailed
from database_servers.initial_data import initial_data
from database_servers.process_server import ProcessServer
from database_servers.server import FoundServer

# Where distributions install servers; these folders are not on the PATH of ordinary users.
SERVER_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin")
# Prints one line at once; the rest allows for a cold disk.
VERSION_SECONDS_MAX = 30.0


def find_on_machine(engine: Engine) -> FoundServer | None:
    """Return a way to an installed server of this engine, if there is a recent one.

    Raises:
        DatabaseServerFailed: there is one, but it cannot be initialised or does not answer.

    """
    path = os.pathsep.join((os.environ.get("PATH", ""), *SERVER_FOLDERS))
    for name in TRAITS[engine].programs:
        program = shutil.which(name, path=path)
        version = _version(engine, program) if program else None
        if program and version:
            # Without symbolic links, since the share folder is next to the real program.
            binaries = Binaries(engine, (program,), Path(program).resolve().parent.parent)
            try:
                data = initial_data(binaries)
            except DatabaseServerFailed as error:
                raise DatabaseServerFailed(f"{program}: {error}") from error
            description = f"{TRAITS[engine].label} {version} ({program})"
            return FoundServer(description, partial(ProcessServer, binaries, initial_data=data))
    return None


def _version(engine: Engine, program: str) -> str | None:
    """Return its version; None if it is the other engine under this name, too old or broken."""
    try:
        text = output_of(program, "--no-defaults", "--version", seconds_max=VERSION_SECONDS_MAX)
    except CommandFailed:
        return None
    version = version_of(text)
    usable = version and engine_of(text) == engine and is_recent_enough(engine, version)
    return version if usable else None
