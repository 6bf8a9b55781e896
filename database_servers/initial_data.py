"""Initialised data folders, kept between runs and copied for each new server.

MySQL initialises one in 5 s; a copy takes a fraction of a second. A folder is kept only after a server has
started on it and answered, so its existence proves that the server works.
"""

import shutil
import tempfile
from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.cache import PARTIAL_PREFIX, cache_folder, exclusive
from database_servers.process_server import ProcessServer


def initial_data(binaries: Binaries) -> Path:
    """Return the data folder of these programs to copy, after making it if needed.

    Raises:
        DatabaseServerFailed: the server cannot be initialised, does not start or does not answer.

    """
    cache = cache_folder()
    folder = cache / f"data-{binaries.engine}-{binaries.fingerprint}"
    if not folder.is_dir():
        with exclusive(cache):
            # Another process may have made it while this one waited.
            if not folder.is_dir():
                _make(binaries, folder)
    return folder


def _make(binaries: Binaries, folder: Path) -> None:
    """Copy it under another name first, so that an interrupted run leaves no incomplete folder."""
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=folder.parent))
    try:
        with ProcessServer(binaries) as server:
            server.shut_down()
            server.copy_data(partial / "data")
        (partial / "data").rename(folder)
    finally:
        shutil.rmtree(partial)
