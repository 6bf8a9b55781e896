"""Data folders of servers that were started once, kept between runs and copied for each new server.

To initialise one takes MySQL 5 s, to copy it a fraction of a second. That there is one also proves that the
server works: it was initialised and it answered.
"""

import shutil
import tempfile
from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.cache import PARTIAL_PREFIX, cache_folder, exclusive
from database_servers.process_server import ProcessServer


def initial_data(binaries: Binaries) -> Path:
    """Return a data folder to copy, made now if these programs have none yet.

    Raises:
        DatabaseServerFailed: the server cannot be initialised, does not start or does not answer.

    """
    cache = cache_folder()
    folder = cache / f"data-{binaries.engine}-{binaries.fingerprint}"
    if not folder.is_dir():
        with exclusive(cache):
            # Another process may have been here while this one waited.
            if not folder.is_dir():
                _make(binaries, folder)
    return folder


def _make(binaries: Binaries, folder: Path) -> None:
    """Copy under another name first, so that an interrupted run leaves no half folder."""
    partial = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=folder.parent))
    try:
        with ProcessServer(binaries) as server:
            server.shut_down()
            server.copy_data(partial / "data")
        (partial / "data").rename(folder)
    finally:
        shutil.rmtree(partial)
