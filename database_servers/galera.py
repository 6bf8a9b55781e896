"""Nodes of a Galera cluster, from the packages of this machine's release of Debian.

They are of this release, since a node that joins is copied by scripts and programs of the system.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from database_servers.binaries import Binaries
from database_servers.commands import output_of
from database_servers.debian import VERSION_SECONDS_MAX
from database_servers.debian_packages import incomplete, unpacked_packages
from database_servers.debian_sources import release
from database_servers.engines import version_of
from database_servers.home import ServerHome
from database_servers.initial_data import initial_data
from database_servers.ports import free_port
from database_servers.process_server import START_SECONDS_MAX, ProcessServer
from database_servers.unprivileged import as_nobody

PACKAGES = ("mariadb-server", "galera-4", "rsync", "lsof", "iproute2", "socat", "procps")
"""The last five are used by the script that copies the data to a node that joins."""
PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
COMMON_OPTIONS = (
    "--binlog-format=ROW",
    "--innodb-autoinc-lock-mode=2",
    "--wsrep-on=ON",
    "--wsrep-sst-method=rsync",
)
RECOVERED_POSITION = re.compile(r"WSREP: Recovered position: (\S+)")


class GaleraNode(ProcessServer):
    """A node that joins its cluster, or founds it at its first start.

    Args:
        binaries: The programs.
        options: The options of the cluster.
        initial_data: The data of a new cluster, which the node founds; None for a node that joins one and
            gets the data from another node.

    """

    def __init__(self, binaries: Binaries, options: Sequence[str], *, initial_data: Path | None) -> None:
        super().__init__(binaries, options, initial_data=initial_data)
        self._founds = initial_data is not None

    def _initialise(self, home: ServerHome) -> None:
        """Leave the folder empty: the node gets all data when it joins."""

    def _server_command(self, home: ServerHome) -> list[str]:
        command = super()._server_command(home)
        if self._founds:
            self._founds = False
            return [*command, "--wsrep-new-cluster"]
        if not (home.data / "ibdata1").exists():
            return command
        # As the unit of Debian does: without its position, a node that was killed copies all data.
        return [*command, f"--wsrep-start-position={self._recovered_position(home, command)}"]

    def _recovered_position(self, home: ServerHome, command: Sequence[str]) -> str:
        home.launch([*command, "--wsrep-recover"])
        home.wait(START_SECONDS_MAX)
        home.kill()
        found = RECOVERED_POSITION.findall((home.folder / "server.log").read_text(errors="replace"))
        if not found:
            raise self._failure(home, "did not tell its position in the cluster")
        return str(found[-1])


def galera_nodes(number: int, provider_options: Sequence[str] = ()) -> tuple[str, list[GaleraNode]]:
    """Return the version, and the nodes of a cluster in the order in which they must be started.

    Args:
        number: The number of nodes.
        provider_options: Settings of Galera itself, such as `evs.suspect_timeout=PT1S`.

    Raises:
        PackageUnavailable, CommandFailed: the packages cannot be downloaded or unpacked.
        DatabaseServerFailed: MariaDB cannot be initialised.

    """
    suite = release()
    tree = unpacked_packages(f"galera-{suite}", PACKAGES, suite=suite)
    binaries, provider = _binaries(tree), tree / "usr/lib/galera/libgalera_smm.so"
    version = output_of(*binaries.command, "--no-defaults", "--version", seconds_max=VERSION_SECONDS_MAX)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(number)]
    common = (
        *COMMON_OPTIONS,
        f"--wsrep-provider={provider}",
        f"--wsrep-cluster-address=gcomm://{','.join(addresses)}",
    )
    nodes = [
        GaleraNode(
            binaries,
            (*common, *_own_options(place, address, provider_options)),
            initial_data=None if place else initial_data(binaries),
        )
        for place, address in enumerate(addresses)
    ]
    return version_of(version), nodes


def _own_options(place: int, address: str, provider_options: Sequence[str]) -> Sequence[str]:
    """Return the options with the ports of a node, which all have the same address."""
    listen = (f"gmcast.listen_addr=tcp://{address}", f"ist.recv_addr=127.0.0.1:{free_port()}")
    return (
        f"--wsrep-node-name=node-{place + 1}",
        f"--wsrep-node-address={address}",
        f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
        f"--wsrep-provider-options={';'.join((*listen, *provider_options))}",
    )


def _binaries(tree: Path) -> Binaries:
    share = tree / "usr/share/mysql"
    libraries = [folder for root in ("lib", "usr/lib") for folder in (tree / root).glob("*-linux-*")]
    if not (share / "charsets").is_dir() or not libraries:
        raise incomplete(tree)
    path = [*(str(tree / folder) for folder in PROGRAM_FOLDERS), os.environ.get("PATH", "")]
    return Binaries(
        "mariadb",
        command=(
            *as_nobody(),
            "env",
            f"PATH={os.pathsep.join(path)}",
            f"LD_LIBRARY_PATH={os.pathsep.join(map(str, libraries))}",
            str(tree / "usr/sbin/mariadbd"),
        ),
        prefix=tree / "usr",
        path_options=(
            f"--basedir={tree / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={tree / 'usr/lib/mysql/plugin'}",
        ),
        as_nobody=True,
    )
