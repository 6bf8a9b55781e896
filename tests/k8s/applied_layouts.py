"""The layouts that the tests apply to an API server."""

from pathlib import Path

import yaml

LAYOUTS = (
    *("local", "trusted-network", "secured", "production"),
    *("trusted-network kubernetes-jobs", "trusted-network kubernetes-jobs-elsewhere"),
    "trusted-network database-proxy",
    "trusted-network rq secured traces",
    "trusted-network celery-in-database queue-in-postgresql",
    "secured celery-in-redis plaintext-servers",
    "secured webhooks",
)
"""Overlays with components, as in an overlay of a user."""


def folders_of(layout: str, manifests: Path) -> set[Path]:
    """Return the folders of a layout, with all that their kustomizations include.

    Args:
        layout: the names of an overlay and of components, with a space between two.
        manifests: the folder k8s/.

    """
    overlay, *components = layout.split()
    found: set[Path] = set()
    waiting = [manifests / "overlays" / overlay, *(manifests / "components" / one for one in components)]
    while waiting:
        folder = waiting.pop().resolve()
        if folder.is_dir() and folder not in found:
            found.add(folder)
            content = yaml.safe_load((folder / "kustomization.yaml").read_text())
            included = (*content.get("resources", ()), *content.get("components", ()))
            waiting += [folder / one for one in included]
    return found
