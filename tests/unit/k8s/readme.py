"""The blocks of k8s/README.md that users put into their own overlay."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.unit.k8s.layout import ROOT, Manifest

README = (ROOT / "k8s/README.md").read_text()


def blocks() -> Iterator[Manifest]:
    """Yield each block with a kustomization, or with fields of one."""
    for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        found: Any = yaml.safe_load(block)
        if isinstance(found, dict):
            yield found


def block_with(setting: str) -> Manifest:
    """Return the only block that sets a setting."""
    (found,) = (one for one in blocks() if setting in str(one.get("configMapGenerator")))
    return found
