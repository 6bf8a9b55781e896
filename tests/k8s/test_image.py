"""The image, built and run where a builder is."""

from collections.abc import Iterator

import pytest

from tests.k8s import image_builder
from tests.unit.k8s.layout import ROOT

pytestmark = pytest.mark.xdist_group("image")

TAG = "batchprogress:test"
MODULES = (
    *("batches", "reconciler", "rpc.new_token"),
    *("services.dashboard", "services.job_status", "services.progress"),
)
"""What the manifests and their README run."""


@pytest.fixture(scope="session")
def builder() -> Iterator[image_builder.Run]:
    """Return what runs the image, which was built for it."""
    with image_builder.built(ROOT, TAG) as run:
        yield run


@pytest.mark.parametrize("module", MODULES)
def test_every_deployable_starts(builder: image_builder.Run, module: str) -> None:
    """Each module of the manifests starts as the image's user, on a read-only root, without a network."""
    assert "Usage:" in builder(module, "--help")
