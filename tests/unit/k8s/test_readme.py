"""The snippets for a user's own overlay in k8s/README.md."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.unit.k8s.layout import COMPONENTS, ROOT, Layout, Manifest, render, write_kustomization
from tests.unit.k8s.readme import README, blocks

CLONE = "../batch-progress/"
"""The path of our checkout in the README."""


PATCHES = [patch for block in blocks() for patch in block.get("patches", []) if "target" in patch]
WITH_COMPONENTS = [block for block in blocks() if "components" in block and "resources" not in block]
COMPLETE = [block for block in blocks() if "resources" in block]


def test_every_component_is_documented() -> None:
    """Every documented component exists, too."""
    documented = set(re.findall(r"components/([a-z-]+)", README))
    existing = {folder.name for folder in (ROOT / "k8s/components").iterdir()}
    assert documented == existing - {"queue-in-redis"}, "a part of two other components"
    others = {
        "database-proxy",
        "queue-in-redis",
        "kubernetes-jobs",
        "kubernetes-jobs-elsewhere",
        "plaintext-servers",
    }
    assert existing - COMPONENTS == others


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: str(patch["target"].get("name", "")))
def test_every_patch_changes_an_object(
    patch: Manifest,
    render_command: tuple[str, ...],
    with_components: Callable[..., Layout],
    tmp_path: Path,
) -> None:
    """Kustomize silently ignores a patch without a matching target."""
    names = ("kubernetes-jobs", "webhooks")
    folder = write_kustomization(
        tmp_path,
        "overlays/trusted-network",
        components=[f"components/{name}" for name in names],
        patches=[patch],
    )
    assert render(render_command, folder).objects != with_components(*names).objects


@pytest.mark.parametrize("block", COMPLETE)
def test_complete_kustomizations_render(
    block: Manifest, render_command: tuple[str, ...], tmp_path: Path
) -> None:
    """They render next to a checkout."""
    (tmp_path / "batch-progress").symlink_to(ROOT)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(block))
    assert any(path.startswith(CLONE) for path in block["resources"])
    layout = render(render_command, str(folder))
    source = "rq" if "components" in block else "job_table"
    assert layout.settings()["JOB_STATUS_SOURCE"] == source


@pytest.mark.parametrize("block", WITH_COMPONENTS)
def test_fields_beside_a_component_change_what_it_adds(
    block: Manifest, render_command: tuple[str, ...], tmp_path: Path
) -> None:
    """Some versions of kubectl apply components before the generators of an overlay, others after them."""
    (tmp_path / "batch-progress").symlink_to(ROOT)
    layouts = []
    for name, fields in (("mine", block), ("unchanged", {"components": block["components"]})):
        folder = tmp_path / name
        folder.mkdir()
        content = {"resources": [f"{CLONE}k8s/overlays/secured"], **fields}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
        layouts.append(render(render_command, str(folder)).objects)
    assert layouts[0] != layouts[1]
