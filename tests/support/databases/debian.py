"""Servers out of Debian sid's packages, unpacked beside whatever Debian this machine runs.

Sid is where Debian keeps a current MySQL. No root is needed and the system stays as it
is: apt works in folders of its own, nothing is installed, and the unpacked server is
started by the C library that came with it.
"""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from tests.support.databases.binaries import Binaries
from tests.support.databases.cache import cache_folder, exclusive, shown
from tests.support.databases.commands import output_of
from tests.support.databases.debian_sources import archive_keyring, is_debian, mirror_uris
from tests.support.databases.engines import TRAITS, Engine, version_of
from tests.support.databases.errors import CommandFailed, DatabaseServerUnavailable
from tests.support.databases.private_apt import PrivateApt
from tests.support.databases.process_server import ProcessServer
from tests.support.databases.server import FoundServer

QUICK_SECONDS_MAX = 30.0
# The biggest package, 26 MB, takes a second; the rest is for a slow disk.
UNPACK_SECONDS_MAX = 300.0
PARTIAL_PREFIX = "partial-"


def find_in_debian(engine: Engine) -> FoundServer:
    """Find the unpacked server; if it is not there yet, download and unpack it first."""
    try:
        tree = _unpacked_tree(engine)
        binaries = unpacked_binaries(engine, tree)
        version = version_of(_run(*binaries.command, "--no-defaults", "--version"))
    except CommandFailed as error:
        raise _unavailable(engine, f"its Debian package could not be set up: {error}") from error
    description = f"{TRAITS[engine].label} {version} (Debian package, unpacked in {shown(tree)})"
    return FoundServer(description, partial(ProcessServer, binaries))


def unpacked_binaries(engine: Engine, tree: Path) -> Binaries:
    """Say how a server is started out of the folder its packages were unpacked into."""
    # Under one folder named after the architecture, which this glob spares us to know.
    loader = next(tree.glob("usr/lib/*/ld*.so.*"), None)
    share = next((folder for folder in tree.glob("usr/share/m*") if (folder / "charsets").is_dir()), None)
    if loader is None or share is None:
        raise DatabaseServerUnavailable(f"{shown(tree)} is incomplete: remove it and run again.")
    program = tree / "usr/sbin" / TRAITS[engine].programs[0]
    return Binaries(
        engine,
        # Its own loader: the machine's C library may be older than the server.
        command=(str(loader), "--library-path", str(loader.parent), str(program)),
        prefix=tree / "usr",
        path_options=(
            f"--basedir={tree / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={share.parent.parent / 'lib' / share.name / 'plugin'}",
        ),
    )


def _unpacked_tree(engine: Engine) -> Path:
    """Return the folder with the unpacked server, kept between runs."""
    if not is_debian():
        raise _unavailable(engine, "this machine is no Debian whose packages could be unpacked")
    cache = cache_folder()
    tree = cache / f"{TRAITS[engine].package}-{_run('dpkg', '--print-architecture').strip()}"
    if not tree.is_dir():
        with exclusive(cache):
            # Another process may have been here while we waited.
            if not tree.is_dir():
                _bring(engine, cache, tree)
    return tree


def _bring(engine: Engine, cache: Path, tree: Path) -> None:
    """Download and unpack under another name, so that an interrupted run leaves no half tree."""
    for leftover in cache.glob(f"{PARTIAL_PREFIX}*"):
        # Its apt-get may outlive the run that was killed, and still write there.
        shutil.rmtree(leftover, ignore_errors=True)
    partial_folder = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=cache))
    try:
        unpacked = partial_folder / "tree"
        for package in _download(engine, partial_folder / "apt"):
            _run("dpkg", "--extract", package, unpacked, seconds_max=UNPACK_SECONDS_MAX)
        unpacked.rename(tree)
    finally:
        shutil.rmtree(partial_folder)


def _download(engine: Engine, folder: Path) -> list[Path]:
    """Download the server and all it needs from the first of the machine's mirrors that can."""
    keyring, mirrors = archive_keyring(), mirror_uris()
    if keyring is None or not mirrors:
        raise _unavailable(engine, "apt's settings name no signed Debian archive to take it from")
    reason = ""
    for mirror in mirrors:
        try:
            return PrivateApt(folder, mirror, keyring).download(TRAITS[engine].package)
        except CommandFailed as error:
            reason = str(error)
    raise _unavailable(engine, f"its Debian package could not be downloaded: {reason}")


def _run(*command: str | Path, seconds_max: float = QUICK_SECONDS_MAX) -> str:
    return output_of(*command, seconds_max=seconds_max)


def _unavailable(engine: Engine, reason: str) -> DatabaseServerUnavailable:
    traits = TRAITS[engine]
    return DatabaseServerUnavailable(
        f"No {traits.label} to start here: no {traits.programs[0]} "
        f"{'.'.join(map(str, traits.oldest_version))} or newer is installed, Docker does not answer, "
        f"and {reason}; {traits.url_variable} can name a server elsewhere."
    )
