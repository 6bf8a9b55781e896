"""Initialised data folders, kept between runs and copied for each new server.

MySQL initialises one in 5 s; a copy takes a fraction of a second. A folder is kept only after a server has
started on it and answered, so its existence proves that the server works.
"""

from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.cache import cache_folder, made_once
from database_servers.process_server import ProcessServer


def initial_data(binaries: Binaries) -> Path:
    """Return the data folder of these programs to copy, after making it if needed.

    Raises:
        DatabaseServerFailed: the server cannot be initialised, does not start or does not answer.

    """

    def make(partial: Path) -> Path:
        with ProcessServer(binaries) as server:
            server.shut_down()
            server.copy_data(partial / "data")
        return partial / "data"

    return made_once(cache_folder() / f"data-{binaries.engine}-{binaries.fingerprint}", make)
