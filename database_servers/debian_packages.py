"""Packages of Debian, unpacked into a cache folder and kept between runs.

They are those of sid, which has the current versions of servers, unless a suite is named. Neither root nor
a change of the system is needed: apt works in its own folders, nothing is installed, and an unpacked program
is started by the C library that came with it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from database_servers.cache import cache_folder, made_once, shown
from database_servers.commands import output_of
from database_servers.debian_sources import archive_keyring, is_debian, mirrors
from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.private_apt import PrivateApt

# The only suite with a current MySQL.
SUITE = "sid"
QUICK_SECONDS_MAX = 30.0
# The largest package, 26 MB, takes a second; the rest allows for a slow disk.
UNPACK_SECONDS_MAX = 300.0


def unpacked_package(package: str) -> Path:
    """Return the folder with the unpacked package and its dependencies, after downloading them if needed.

    Raises:
        PackageUnavailable: this machine does not run Debian, or no archive has the package.
        CommandFailed: dpkg or apt failed.

    """
    return unpacked_packages(package, (package,))


def unpacked_packages(
    name: str,
    packages: Sequence[str],
    *,
    suite: str = SUITE,
    dependencies: bool = True,
    prepare: Callable[[Path, Path], None] | None = None,
) -> Path:
    """Return the folder with unpacked packages, after downloading them if needed.

    Args:
        name: The name of the folder, without the architecture.
        packages: The packages.
        suite: Which suite they are from.
        dependencies: Whether what they depend on is unpacked, too.
        prepare: Changes files before their first use. It gets the folder in which they are now, and the path
            that the folder will have.

    Raises:
        PackageUnavailable: this machine does not run Debian, or no archive has the packages.
        CommandFailed: dpkg or apt failed.

    """
    if not is_debian():
        raise PackageUnavailable("this machine does not run Debian, whose packages could be unpacked")
    tree = cache_folder() / f"{name}-{_run('dpkg', '--print-architecture').strip()}"

    def bring(folder: Path) -> Path:
        unpacked = _bring(packages, suite, folder, dependencies=dependencies)
        if prepare is not None:
            prepare(unpacked, tree)
        return unpacked

    return made_once(tree, bring)


def program_command(tree: Path, program: str) -> tuple[str, ...]:
    """Return the command for a program in an unpacked folder.

    Raises:
        PackageUnavailable: the folder is incomplete.

    """
    # In a folder that is named after the architecture; below usr since Debian 13.
    loaders = [*tree.glob("usr/lib/*/ld*.so.*"), *tree.glob("lib/*/ld*.so.*")]
    if not loaders:
        raise incomplete(tree)
    folder = loaders[0].parent
    libraries = ":".join(dict.fromkeys([str(folder), str(tree / "usr/lib" / folder.name)]))
    # With its own loader, since the C library of the machine may be older than the program.
    return (str(loaders[0]), "--library-path", libraries, str(tree / program))


def incomplete(tree: Path) -> PackageUnavailable:
    """Return the error for a folder with missing files."""
    return PackageUnavailable(f"{shown(tree)} is incomplete: delete it and run again")


def _bring(packages: Sequence[str], suite: str, folder: Path, *, dependencies: bool) -> Path:
    """Download and unpack packages; return the folder with their files."""
    unpacked = folder / "tree"
    for archive in _download(packages, suite, folder / "apt", dependencies=dependencies):
        _run("dpkg", "--extract", archive, unpacked, seconds_max=UNPACK_SECONDS_MAX)
    return unpacked


def _download(packages: Sequence[str], suite: str, folder: Path, *, dependencies: bool) -> list[Path]:
    """Download packages from the first mirror of this machine that has them."""
    keyring, candidates = archive_keyring(), mirrors()
    if keyring is None or not candidates:
        raise PackageUnavailable("the settings of apt name no signed Debian archive")
    reason = ""
    for mirror in candidates:
        try:
            apt = PrivateApt(folder, mirror, keyring, suite)
            return apt.download(*packages, dependencies=dependencies)
        except CommandFailed as error:
            reason = str(error)
    raise PackageUnavailable(f"its Debian package cannot be downloaded: {reason}")


def _run(*command: str | Path, seconds_max: float = QUICK_SECONDS_MAX) -> str:
    return output_of(*command, seconds_max=seconds_max)
