"""The four proxies: their file in deploy/, how a test starts it, and how its user reloads it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from database_servers.ports import free_port
from tests.support.progress import ROOT

DEPLOY = ROOT / "deploy"
DEFAULTS = Path(__file__).parent / "defaults"
DRAIN_SECONDS = 30
"""In the files of deploy/."""
BASE_IDS = 1 << 20
"""Envoys with the same number share memory."""
Reload: TypeAlias = Literal["signal", "successor", "command"]
"""By SIGHUP, a second process that takes over, or a command."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a test puts into a configuration: addresses, paths, and in its quick size a shorter time."""

    folder: Path
    """Has the certificate and its key as progress.pem, progress.key, and both in both.pem."""
    servers: Sequence[int]
    """The ports of the two servers."""
    drain_seconds: int = DRAIN_SECONDS
    """How long an old process lets its calls go on after a reload."""
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    unused_port: int = field(default_factory=free_port)

    @property
    def addresses(self) -> dict[str, str]:
        """What becomes of the names of the servers in the files."""
        first, second = self.servers
        return {"progress-1:50051": f"127.0.0.1:{first}", "progress-2:50051": f"127.0.0.1:{second}"}


class Kind(Protocol):
    """A kind of proxy."""

    name: str
    file: Path
    reloads_by: Reload

    def replacements(self, place: Place) -> Mapping[str, str]:
        """Return the texts of the file that a test replaces: addresses and paths, nothing else."""

    def arguments(self, file: Path, place: Place, generation: int, before: int) -> Sequence[str]:
        """Return the arguments of the process that reloads as often, whose predecessor has this pid."""


def configuration_of(kind: Kind, place: Place) -> str:
    """Return the file of deploy/ with the addresses and paths of a test."""
    text = kind.file.read_text(encoding="utf-8")
    assert [old for old in kind.replacements(place) if old not in text] == []
    return replaced(kind, place, text)


def replaced(kind: Kind, place: Place, text: str) -> str:
    """Return another configuration with them."""
    for old, new in kind.replacements(place).items():
        text = text.replace(old, new)
    return text


def defaults_of(kind: Kind, place: Place) -> str:
    """Return a configuration that leaves all it can to the defaults of the proxy."""
    return replaced(kind, place, (DEFAULTS / kind.file.name).read_text(encoding="utf-8"))


class Nginx:
    """nginx."""

    name = "nginx"
    file = DEPLOY / "nginx/nginx.conf"
    reloads_by: Reload = "signal"

    def replacements(self, place: Place) -> Mapping[str, str]:
        """Let it write only into the folder."""
        temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"    {name}_temp_path {place.folder};\n" for name in temporary)
        return {
            "user www-data;\n": "",
            "/run/nginx.pid": f"{place.folder}/{place.port}.pid",
            "/etc/nginx/": f"{place.folder}/",
            f"shutdown_timeout {DRAIN_SECONDS}s": f"shutdown_timeout {place.drain_seconds}s",
            "access_log off;\n": f"access_log off;\n{paths}",
            "listen 443 ": f"listen 127.0.0.1:{place.tls_port} ",
            "        listen [::]:443 ssl backlog=4096;\n": "",
            "listen 50050 ": f"listen 127.0.0.1:{place.port} ",
            **place.addresses,
        }

    def arguments(self, file: Path, place: Place, generation: int, before: int) -> Sequence[str]:
        """Keep it in the foreground."""
        del generation, before
        return ("-c", str(file), "-p", str(place.folder), "-e", "stderr", "-g", "daemon off;")


class Haproxy:
    """haproxy."""

    name = "haproxy"
    file = DEPLOY / "haproxy/grpc.cfg"
    reloads_by: Reload = "successor"

    def replacements(self, place: Place) -> Mapping[str, str]:
        """Certificate and key are in one file."""
        return {
            "/etc/haproxy/progress.pem": f"{place.folder}/both.pem",
            "/etc/haproxy/unavailable.http": str(DEPLOY / "haproxy/unavailable.http"),
            f"hard-stop-after {DRAIN_SECONDS}s": f"hard-stop-after {place.drain_seconds}s",
            "bind :443 ": f"bind 127.0.0.1:{place.tls_port} ",
            "bind :50050 ": f"bind 127.0.0.1:{place.port} ",
            **place.addresses,
        }

    def arguments(self, file: Path, place: Place, generation: int, before: int) -> Sequence[str]:
        """-sf: take over from a process, and let it finish."""
        del place
        return ("-db", "-f", str(file), *(("-sf", str(before)) if generation else ()))


class Envoy:
    """Envoy, which calls it a hot restart."""

    name = "envoy"
    file = DEPLOY / "envoy/envoy.yaml"
    reloads_by: Reload = "successor"

    def __init__(self) -> None:
        self._base_id = secrets.randbelow(BASE_IDS)

    def replacements(self, place: Place) -> Mapping[str, str]:
        """Without IPv6, which a machine may lack."""
        first, second = place.servers
        return {
            '"::"': "127.0.0.1",
            ", ipv4_compat: true": "",
            "port_value: 443": f"port_value: {place.tls_port}",
            "port_value: 50050": f"port_value: {place.port}",
            "port_value: 9901": f"port_value: {place.admin_port}",
            "/etc/envoy/progress": f"{place.folder}/progress",
            "address: progress-1, port_value: 50051": f"address: 127.0.0.1, port_value: {first}",
            "address: progress-2, port_value: 50051": f"address: 127.0.0.1, port_value: {second}",
        }

    def arguments(self, file: Path, place: Place, generation: int, before: int) -> Sequence[str]:
        """Its time is an option of the command."""
        del before
        drain = place.drain_seconds
        times = ("--drain-time-s", str(drain * 2 // 3), "--parent-shutdown-time-s", str(drain))
        own = ("--base-id", str(self._base_id), "--restart-epoch", str(generation))
        return ("-c", str(file), "--log-level", "warning", *own, *times)


class Caddy:
    """Caddy."""

    name = "caddy"
    file = DEPLOY / "caddy/Caddyfile"
    reloads_by: Reload = "command"

    def replacements(self, place: Place) -> Mapping[str, str]:
        """Without the ports 80, for its redirects to https, and 2019."""
        own = f"\tadmin 127.0.0.1:{place.admin_port}\n\thttp_port {place.unused_port}\n"
        return {
            f"\tgrace_period {DRAIN_SECONDS}s": f"{own}\tgrace_period {place.drain_seconds}s",
            "/etc/caddy/": f"{place.folder}/",
            "progress.example.com {": f"https://127.0.0.1:{place.tls_port} {{",
            "http://:50050 {": f"http://127.0.0.1:{place.port} {{",
            **place.addresses,
        }

    def arguments(self, file: Path, place: Place, generation: int, before: int) -> Sequence[str]:
        """Run in the foreground."""
        del place, generation, before
        return ("run", "--config", str(file), "--adapter", "caddyfile")


KINDS: tuple[Kind, ...] = (Nginx(), Haproxy(), Envoy(), Caddy())
