"""Runs a pod's container as a local process, with its arguments, environment and Secrets as files."""

import asyncio
import base64
import os
import sys
from pathlib import Path

from tests.k8s.cluster import Namespace
from tests.unit.k8s.layout import Manifest

INHERITED = ("PATH", "PYTHONPATH", "BATCHPROGRESS_TEST_RUN")
"""The variables for Python's packages and for finding leftover processes of this run."""


async def start_container(namespace: Namespace, pod: Manifest, root: Path) -> asyncio.subprocess.Process:
    """Start a pod's only container as a kubelet does, with `root` as the root folder of its mounts."""
    (container,) = pod["spec"]["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container.get("volumeMounts", [])}
    for volume in pod["spec"].get("volumes", []):
        if volume["name"] in mounts and "secret" in volume:
            _mount(namespace, volume["secret"], root / mounts[volume["name"]].lstrip("/"))
    variables: dict[str, str] = {}
    for source in container["envFrom"]:
        variables |= namespace.get("configmap", source["configMapRef"]["name"])["data"]
    variables |= {one["name"]: one["value"] for one in container.get("env", [])}
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    for name, value in variables.items():
        is_mounted = any(value.startswith(f"{folder}/") for folder in mounts.values())
        environment[name] = f"{root}{value}" if is_mounted else value
    return await asyncio.create_subprocess_exec(
        sys.executable,  # the image's entrypoint is python -m
        "-m",
        *container["args"],
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _mount(namespace: Namespace, source: Manifest, folder: Path) -> None:
    secret = namespace.get("secret", source["secretName"])
    folder.mkdir(parents=True)
    for item in source["items"]:
        (folder / item["path"]).write_bytes(base64.b64decode(secret["data"][item["key"]]))
