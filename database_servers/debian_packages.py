"""Debian sid's packages, unpacked into folders of their own and kept between runs.

Sid is where Debian keeps current servers. No root is needed and the system stays as it
is: apt works in folders of its own, nothing is installed, and an unpacked program is
started by the C library that came with it.
"""

import shutil
import tempfile
from pathlib import Path

from database_servers.cache import PARTIAL_PREFIX, cache_folder, exclusive, shown
from database_servers.commands import output_of
from database_servers.debian_sources import archive_keyring, is_debian, mirror_uris
from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.private_apt import PrivateApt

QUICK_SECONDS_MAX = 30.0
# The biggest package, 26 MB, takes a second; the rest is for a slow disk.
UNPACK_SECONDS_MAX = 300.0


def unpacked_package(package: str) -> Path:
    """Return the folder with the unpacked package and all it depends on, downloaded if it is not there yet.

    Raises:
        PackageUnavailable: this machine is no Debian, or names no archive to take it from.
        CommandFailed: a command that brings it failed.

    """
    if not is_debian():
        raise PackageUnavailable("this machine is no Debian whose packages could be unpacked")
    cache = cache_folder()
    tree = cache / f"{package}-{_run('dpkg', '--print-architecture').strip()}"
    if not tree.is_dir():
        with exclusive(cache):
            # Another process may have been here while we waited.
            if not tree.is_dir():
                _bring(package, cache, tree)
    return tree


def program_command(tree: Path, program: str) -> tuple[str, ...]:
    """Return the command for a program of an unpacked folder; PackageUnavailable if that is not whole."""
    # Under one folder named after the architecture, which this glob spares us to know.
    loader = next(tree.glob("usr/lib/*/ld*.so.*"), None)
    if loader is None:
        raise incomplete(tree)
    # Its own loader: the machine's C library may be older than the program.
    return (str(loader), "--library-path", str(loader.parent), str(tree / program))


def incomplete(tree: Path) -> PackageUnavailable:
    """Return the error for a folder in which something is missing."""
    return PackageUnavailable(f"{shown(tree)} is incomplete: remove it and run again")


def _bring(package: str, cache: Path, tree: Path) -> None:
    """Download and unpack under another name, so that an interrupted run leaves no half tree."""
    for leftover in cache.glob(f"{PARTIAL_PREFIX}*"):
        # Its apt-get may outlive the run that was killed, and still write there.
        shutil.rmtree(leftover, ignore_errors=True)
    partial_folder = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=cache))
    try:
        unpacked = partial_folder / "tree"
        for archive in _download(package, partial_folder / "apt"):
            _run("dpkg", "--extract", archive, unpacked, seconds_max=UNPACK_SECONDS_MAX)
        unpacked.rename(tree)
    finally:
        shutil.rmtree(partial_folder)


def _download(package: str, folder: Path) -> list[Path]:
    """Download the package and all it needs from the first of the machine's mirrors that can."""
    keyring, mirrors = archive_keyring(), mirror_uris()
    if keyring is None or not mirrors:
        raise PackageUnavailable("apt's settings name no signed Debian archive to take it from")
    reason = ""
    for mirror in mirrors:
        try:
            return PrivateApt(folder, mirror, keyring).download(package)
        except CommandFailed as error:
            reason = str(error)
    raise PackageUnavailable(f"its Debian package could not be downloaded: {reason}")


def _run(*command: str | Path, seconds_max: float = QUICK_SECONDS_MAX) -> str:
    return output_of(*command, seconds_max=seconds_max)
