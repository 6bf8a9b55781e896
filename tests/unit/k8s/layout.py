"""Renders kustomizations, and gives access to their objects."""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from database_servers.debian_packages import program_command, unpacked_package

ROOT = Path(__file__).parents[3]
LAYOUTS = ("base", "overlays/local", "overlays/trusted-network", "overlays/secured")
COMPOSITIONS = (
    "trusted-network rq",
    "trusted-network celery-in-redis secured traces",
    "trusted-network celery-in-database queue-in-postgresql",
    "secured webhooks",
    "local secured watch-tokens traces",
)
"""Overlays with components. test_access covers Kubernetes as the queue, for which other rules apply."""
COMPONENTS = {name for composition in COMPOSITIONS for name in composition.split()[1:]}
RENDER_SECONDS_MAX = 30
"""Rendering takes a tenth of a second; the limit only ends a renderer that hangs."""
QUANTITIES = {"m": 0.001, "": 1, "Mi": 2**20, "Gi": 2**30}
"""The units of our quantities."""

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod template of one workload."""

    owner: str
    """Kind and name of the workload as in kubectl: `Deployment/progress`."""
    labels: dict[str, str]
    spec: Manifest

    @property
    def container(self) -> Manifest:
        """The only container of the pod."""
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def deployable(self) -> str:
        """The program that the pod runs, such as `progress`, `job-status` or `migrate`."""
        return self.labels["app.kubernetes.io/name"]


@dataclass(frozen=True, slots=True)
class Layout:
    """The objects of one kustomization."""

    name: str
    objects: tuple[Manifest, ...]

    def of_kind(self, kind: str) -> list[Manifest]:
        """Return the objects of a kind."""
        return [manifest for manifest in self.objects if manifest["kind"] == kind]

    def named(self, kind: str, name: str) -> Manifest:
        """Return the object of this kind and name."""
        (manifest,) = (one for one in self.of_kind(kind) if one["metadata"]["name"] == name)
        return manifest

    def pods(self) -> list[Pod]:
        """Return the pod template of every workload."""
        return [
            Pod(title(manifest), template["metadata"]["labels"], template["spec"])
            for manifest in self.objects
            if (template := _template(manifest))
        ]

    def settings(self) -> dict[str, str]:
        """Return the settings of all programs."""
        maps = [(one["metadata"]["name"], one["data"]) for one in self.of_kind("ConfigMap")]
        (settings,) = (data for name, data in maps if name.startswith("batchprogress-settings"))
        return dict(settings)

    def environment(self, pod: Pod) -> dict[str, str | None]:
        """Return the environment variables of a pod; the value None is that of a Secret."""
        own = {variable["name"]: variable.get("value") for variable in pod.container.get("env", [])}
        return {**self.settings(), **own}


def title(manifest: Manifest) -> str:
    """Return an object's kind and name as in kubectl."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def values(node: object, key: str) -> Iterator[Any]:
    """Yield all values of a key, at any depth of an object."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for child in node.values():
            yield from values(child, key)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from values(child, key)


def quantity(text: str) -> float:
    """Return the number of a quantity, such as 0.5 for 500m."""
    number = text.rstrip("GMim")
    return float(number) * QUANTITIES[text.removeprefix(number)]


def renderer() -> list[str]:
    """Return the command that renders a kustomization, if necessary from Debian's package.

    Raises:
        PackageUnavailable: it is not installed, and this machine is not Debian.

    """
    if kustomize := shutil.which("kustomize"):
        return [kustomize, "build"]
    return [*kubectl(), "kustomize"]


def kubectl() -> tuple[str, ...]:
    """Return the command kubectl, if necessary from Debian's package; see `renderer`."""
    if program := shutil.which("kubectl"):
        return (program,)
    return program_command(unpacked_package("kubectl"), "usr/bin/kubectl")


def write_kustomization(folder: Path, layout: str, checkout: Path = ROOT, **fields: Any) -> str:
    """Write an overlay on top of a layout and return its folder. Component paths are relative to k8s/."""
    manifests = os.path.relpath(checkout / "k8s", folder.resolve())
    components = [f"{manifests}/{one}" for one in fields.pop("components", [])]
    content = {"resources": [f"{manifests}/{layout}"], "components": components, **fields}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(folder)


@functools.cache
def render(command: tuple[str, ...], name: str) -> Layout:
    """Render a kustomization, given by its path relative to k8s/ or its absolute path. Cached."""
    rendered = subprocess.run(
        [*command, str(ROOT / "k8s" / name)],
        check=True,
        stdout=subprocess.PIPE,
        timeout=RENDER_SECONDS_MAX,
    )
    # The parser in C is ten times as fast.
    return Layout(name, tuple(yaml.load_all(rendered.stdout, yaml.CSafeLoader)))


def _template(manifest: Manifest) -> Manifest | None:
    spec = manifest.get("spec", {})
    template: Manifest | None = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return template
