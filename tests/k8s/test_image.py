"""The image, built and run if this machine has an image builder."""

from collections.abc import Iterator

import pytest

from tests.k8s import image_builder
from tests.unit.k8s.layout import ROOT

pytestmark = [
    pytest.mark.xdist_group("image"),
    # The first test also builds the image.
    pytest.mark.timeout(image_builder.BUILD_SECONDS_MAX + image_builder.RUN_SECONDS_MAX),
]

TAG = "batchprogress:test"
MODULES = (
    *("batches", "reconciler", "rpc.new_token"),
    *("services.dashboard", "services.gateway", "services.job_status", "services.progress"),
)
"""The modules that the manifests and their README run."""


@pytest.fixture(scope="session")
def builder() -> Iterator[image_builder.Run]:
    """Build the image; yields a function that runs it."""
    with image_builder.built(ROOT, TAG) as run:
        yield run


@pytest.mark.parametrize("module", MODULES)
def test_every_deployable_starts(builder: image_builder.Run, module: str) -> None:
    """It starts as the image's user, with a read-only root file system and without a network."""
    assert "Usage:" in builder(module, "--help")
