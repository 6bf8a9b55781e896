"""Runs a pod's container as a local process, with its arguments, environment and Secrets as files."""

import asyncio
import base64
import os
import sys
from pathlib import Path

from tests.k8s.cluster import Namespace
from tests.support.first_version import THIS_VERSION, Version
from tests.unit.k8s.layout import Manifest

INHERITED = ("PATH", "PYTHONPATH", "BATCHPROGRESS_TEST_RUN")
"""The variables for Python's packages and for finding leftover processes of this run."""
ENTRYPOINT = ("python", "-m")
"""Of the image."""
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
        if volume["name"] in mounts and "secret" in volume:
            _mount(namespace, volume["secret"], root / mounts[volume["name"]].lstrip("/"))
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= namespace.get("configmap", source["configMapRef"]["name"])["data"]
    variables |= {one["name"]: one["value"] for one in container.get("env", [])}
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    for name, value in variables.items():
        is_mounted = any(value.startswith(f"{folder}/") for folder in mounts.values())
        environment[name] = f"{root}{value}" if is_mounted else value.replace(ANY_ADDRESS, address)
    command = container.get("command", ENTRYPOINT)
    return await asyncio.create_subprocess_exec(
        *(sys.executable if one == "python" else one for one in command),
        *container["args"],
        cwd=version.checkout,
        env={**environment, **version.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _mount(namespace: Namespace, source: Manifest, folder: Path) -> None:
    secret = namespace.get("secret", source["secretName"])
    folder.mkdir(parents=True)
    for item in source["items"]:
        file = folder / item["path"]
        file.write_bytes(base64.b64decode(secret["data"][item["key"]]))
        file.chmod(source.get("defaultMode", 0o644))
