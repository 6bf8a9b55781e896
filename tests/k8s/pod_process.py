"""Runs a pod's container as a local process, with its arguments, environment and mounted files."""

import asyncio
import base64
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from database_servers.haproxy import haproxy_command
from tests.k8s.cluster import Namespace
from tests.support.first_version import THIS_VERSION, Version
from tests.unit.k8s.layout import Manifest

INHERITED = ("PATH", "PYTHONPATH", "BATCHPROGRESS_TEST_RUN")
"""The variables for Python's packages and for finding leftover processes of this run."""
ENTRYPOINT = ("python", "-m")
"""Of the image."""
PROGRAMS: dict[str, Callable[[], tuple[str, ...]]] = {
    "python": lambda: (sys.executable,),
    "haproxy": haproxy_command,
}
"""The commands of this machine for the programs of images."""
ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # as in the manifests


async def start_container(
    namespace: Namespace,
    pod: Manifest,
    root: Path,
    address: str = ANY_ADDRESS,
    version: Version = THIS_VERSION,
) -> asyncio.subprocess.Process:
    """Start a pod's only container as a kubelet does.

    Args:
        namespace: the namespace of the pod.
        pod: the pod.
        root: the root folder of its mounts.
        address: the address on which it listens, instead of all.
        version: the checkout that its image was built from.

    Returns:
        The process.

    """
    (container,) = pod["spec"]["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container.get("volumeMounts", [])}
    for volume in pod["spec"].get("volumes", []):
        if volume["name"] in mounts:
            _mount(namespace, volume, root / mounts[volume["name"]].lstrip("/"))
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= namespace.get("configmap", source["configMapRef"]["name"])["data"]
    variables |= {one["name"]: one["value"] for one in container.get("env", [])}
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    for name, value in variables.items():
        environment[name] = _local_path(value, mounts, root).replace(ANY_ADDRESS, address)
    command: list[str] = [*container.get("command", ENTRYPOINT), *container.get("args", ())]
    return await asyncio.create_subprocess_exec(
        *(local for word in command for local in _local_words(word, mounts, root)),
        cwd=version.checkout,
        env={**environment, **version.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _local_words(word: str, mounts: Mapping[str, str], root: Path) -> tuple[str, ...]:
    """Return what stands for a word of a command here: of `env --unset=NAME python`, for the last one."""
    return PROGRAMS[word]() if word in PROGRAMS else (_local_path(word, mounts, root),)


def _local_path(value: str, mounts: Mapping[str, str], root: Path) -> str:
    """Return the path of a mounted file on this machine, and other values unchanged."""
    is_mounted = any(value.startswith(f"{folder}/") for folder in mounts.values())
    return f"{root}{value}" if is_mounted else value


def _mount(namespace: Namespace, volume: Manifest, folder: Path) -> None:
    """Write the files of a Secret or a ConfigMap; other volumes have none."""
    if "secret" in volume:
        source = volume["secret"]
        encoded = namespace.get("secret", source["secretName"])["data"]
        contents = {item["path"]: base64.b64decode(encoded[item["key"]]) for item in source["items"]}
    elif "configMap" in volume:
        source = volume["configMap"]
        data = namespace.get("configmap", source["name"])["data"]
        contents = {name: text.encode() for name, text in data.items()}
    else:
        return
    folder.mkdir(parents=True)
    for name, content in contents.items():
        file = folder / name
        file.write_bytes(content)
        file.chmod(source.get("defaultMode", 0o644))
