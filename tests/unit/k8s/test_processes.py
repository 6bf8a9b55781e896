"""The README's fields of an overlay whose pods run several processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.k8s.layout import Layout, Manifest, quantity, render, write_kustomization
from tests.unit.k8s.readme import block_with

SETTING = "PROGRESS_PROCESSES"


@pytest.fixture
def several(render_command: tuple[str, ...], tmp_path: Path) -> Layout:
    """Return the layout of such an overlay."""
    return render(render_command, write_kustomization(tmp_path, "overlays/secured", **block_with(SETTING)))


def test_resources_and_the_target_of_the_autoscaler_grow_with_the_processes(
    several: Layout, render_command: tuple[str, ...]
) -> None:
    of_one = dict(_quantities(render(render_command, "overlays/secured")))
    processes = int(several.settings()[SETTING])
    assert processes > 1
    assert dict(_quantities(several)) == {name: processes * one for name, one in of_one.items()}


def _quantities(layout: Layout) -> Iterator[tuple[str, float]]:
    """Yield the requests and limits of progress, and the target of its autoscaler."""
    (pod,) = (one for one in layout.pods() if one.deployable == "progress")
    resources: Manifest = pod.container["resources"]
    for kind, amounts in resources.items():
        for name, amount in amounts.items():
            yield f"{kind} {name}", quantity(amount)
    (metric,) = layout.named("HorizontalPodAutoscaler", "progress")["spec"]["metrics"]
    yield "target", quantity(metric["resource"]["target"]["averageValue"])
