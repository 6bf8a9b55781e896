"""What k8s/README.md tells a user to write into an overlay of their own."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.k8s.layout import COMPONENTS, ROOT, Manifest, render, write_kustomization

README = (ROOT / "k8s/README.md").read_text()
CLONE = "../batch-progress/"
"""Where the README has our checkout."""


def _blocks() -> Iterator[Manifest]:
    """Yield each block of the README that is a kustomization, or fields of one."""
    for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        found: Any = yaml.safe_load(block)
        if isinstance(found, dict):
            yield found


PATCHES = [patch for block in _blocks() for patch in block.get("patches", [])]
WHOLE = [block for block in _blocks() if "resources" in block]


def test_every_component_is_told_of() -> None:
    """Every component stands in the README under its path, and every path there is one that is here."""
    told = set(re.findall(r"components/([a-z-]+)", README))
    there = {folder.name for folder in (ROOT / "k8s/components").iterdir()}
    assert told == there - {"queue-in-redis"}, "which is only part of two others"
    assert there - COMPONENTS == {"queue-in-redis", "kubernetes-jobs", "kubernetes-jobs-elsewhere"}


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: str(patch["target"].get("name", "")))
def test_patches_meet_something(patch: Manifest, render_command: tuple[str, ...], tmp_path: Path) -> None:
    """Every patch changes an object: kustomize says nothing of one whose target is not there."""
    objects = []
    for name, patches in (("without", []), ("with", [patch])):
        (tmp_path / name).mkdir()
        folder = write_kustomization(
            tmp_path / name,
            "overlays/production",
            components=["components/kubernetes-jobs"],
            patches=patches,
        )
        objects.append(render(render_command, folder).objects)
    assert objects[0] != objects[1]


@pytest.mark.parametrize("block", WHOLE)
def test_whole_kustomizations_render(
    block: Manifest, render_command: tuple[str, ...], tmp_path: Path
) -> None:
    """Every kustomization that is shown whole renders beside a checkout of ours."""
    (tmp_path / "batch-progress").symlink_to(ROOT)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(block))
    assert any(path.startswith(CLONE) for path in block["resources"])
    layout = render(render_command, str(folder))
    wanted = "rq" if "components" in block else "job_table"
    assert layout.settings()["JOB_STATUS_SOURCE"] == wanted
