"""A Kubernetes control plane: that of an existing cluster, or private processes from a folder of binaries.

The private processes are etcd, kube-apiserver and, if the folder contains it, kube-controller-manager.
There are no nodes, so pods are created and admitted but never run.
"""

import os
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from database_servers.home import ServerHome
from database_servers.ports import free_port
from tests.support.control_plane_commands import (
    api_server_command,
    controllers_command,
    etcd_command,
)

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
KUBECONFIG_VARIABLE = "KUBECONFIG"
START_SECONDS_MAX = 120.0
"""Ten seconds were measured on two busy cores."""
POLL_SECONDS = 0.2
ADMIN_TOKEN = "the-tests-own-administrator"  # of a server that exists only during this run


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """An API server that answers."""

    kubeconfig: Path
    has_controllers: bool
    origin: str
    """A description for the summary of the run."""


class ControlPlaneFailed(Exception):
    """A process did not start; the text contains the end of its log."""


def missing_reason() -> str:
    """Return why no control plane can be used, empty if one can."""
    if _assets() or _given():
        return ""
    return (
        f"no Kubernetes API server: set {KUBECONFIG_VARIABLE}, or set {ASSETS_VARIABLE} to a folder with"
        " etcd and kube-apiserver (and kube-controller-manager)"
    )


def lacks_controllers() -> str:
    """Return why there are no controllers to create Jobs and pods, empty if there are."""
    assets = _assets()
    if assets is None or (assets / "kube-controller-manager").is_file():
        return ""
    return f"{ASSETS_VARIABLE} has no kube-controller-manager"


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Yield the control plane of the environment. Private processes take precedence, and stop at exit."""
    assets = _assets()
    if assets is None:
        given = _given()
        assert given is not None
        yield ControlPlane(given, has_controllers=True, origin=f"the cluster of {KUBECONFIG_VARIABLE}")
        return
    with ExitStack() as stack:
        yield _start(assets, stack)


def _assets() -> Path | None:
    folder = Path(os.environ.get(ASSETS_VARIABLE, "/nonexistent"))
    return folder if (folder / "kube-apiserver").is_file() and (folder / "etcd").is_file() else None


def _given() -> Path | None:
    given = os.environ.get(KUBECONFIG_VARIABLE, "")
    return Path(given) if given and Path(given).is_file() else None


def _start(assets: Path, stack: ExitStack) -> ControlPlane:
    etcd_port, api_port = free_port(), free_port()
    _launch(stack, "etcd", etcd_command(assets, etcd_port))
    home = _home(stack, "kube-apiserver")
    key = home.folder / "service-accounts.key"
    _write_key(key)
    (home.folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
    home.launch(api_server_command(assets, home.folder, etcd_port, api_port))
    kubeconfig = _write_kubeconfig(home.folder, api_port)
    version = _wait_until_ready(home, api_port)
    origin = f"kube-apiserver {version} of {ASSETS_VARIABLE}"
    if not (assets / "kube-controller-manager").is_file():
        return ControlPlane(kubeconfig, has_controllers=False, origin=f"{origin}, no controllers")
    _launch(stack, "kube-controller-manager", controllers_command(assets, kubeconfig, key))
    return ControlPlane(kubeconfig, has_controllers=True, origin=f"{origin}, with its controllers")


def _home(stack: ExitStack, name: str) -> ServerHome:
    home = ServerHome(name)
    stack.callback(home.remove)
    return home


def _launch(stack: ExitStack, name: str, command: list[str]) -> None:
    _home(stack, name).launch(command)


def _write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def _write_kubeconfig(folder: Path, port: int) -> Path:
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": str(folder / "apiserver.crt"),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "own", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": ADMIN_TOKEN}}],
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "admin"}}],
        "current-context": "own",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _wait_until_ready(home: ServerHome, port: int) -> str:
    """Wait for /readyz, and return the server's version."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and home.process_id:
        if _get(home.folder, port, "/readyz") == "ok":
            version: str = yaml.safe_load(_get(home.folder, port, "/version"))["gitVersion"]
            return version
        time.sleep(POLL_SECONDS)
    raise ControlPlaneFailed(f"kube-apiserver did not start. The end of its log:\n{home.log_end()}")


def _get(folder: Path, port: int, path: str) -> str:
    """Return a response of the server, empty while it does not answer or has no certificate yet."""
    url = f"https://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    try:
        context = ssl.create_default_context(cafile=str(folder / "apiserver.crt"))
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310
            body: bytes = answer.read()
            return body.decode()
    except OSError:
        return ""
