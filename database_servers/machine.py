"""Server programs installed on this machine."""

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

# Where distributions put servers; an ordinary user's path leaves these out.
SERVER_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin")
# It prints one line and exits; the rest is for a cold disk.
VERSION_SECONDS_MAX = 30.0


def find_on_machine(engine: Engine) -> FoundServer | None:
    """Find an installed server of this engine that is recent enough, and start it once to see that it works.

    Raises:
        DatabaseServerFailed: there is one, and it cannot be initialised or does not answer.

    """
    path = os.pathsep.join((os.environ.get("PATH", ""), *SERVER_FOLDERS))
    for name in TRAITS[engine].programs:
        program = shutil.which(name, path=path)
        version = _version(engine, program) if program else None
        if program and version:
            # No symbolic links: the share folder lies beside the real program.
            binaries = Binaries(engine, (program,), Path(program).resolve().parent.parent)
            try:
                data = initial_data(binaries)
            except DatabaseServerFailed as error:
                raise DatabaseServerFailed(f"{program}: {error}") from error
            description = f"{TRAITS[engine].label} {version} ({program})"
            return FoundServer(description, partial(ProcessServer, binaries, initial_data=data))
    return None


def _version(engine: Engine, program: str) -> str | None:
    """Return its version; None if it is the other engine under this name, too old, or broken."""
    try:
        text = output_of(program, "--no-defaults", "--version", seconds_max=VERSION_SECONDS_MAX)
    except CommandFailed:
        return None
    version = version_of(text)
    usable = version and engine_of(text) == engine and is_recent_enough(engine, version)
    return version if usable else None
