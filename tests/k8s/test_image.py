"""The image, built and run where a builder is."""

import pytest

from tests.k8s import image_builder
from tests.unit.k8s.layout import ROOT

TAG = "batchprogress:test"
MODULES = (
    *("batches", "reconciler", "rpc.new_token"),
    *("services.dashboard", "services.job_status", "services.progress"),
)
"""What the manifests and their README run."""


@pytest.fixture(scope="session")
def builder() -> str:
    """Return a builder that has built the image."""
    program = image_builder.program()
    assert program is not None
    image_builder.build(ROOT, TAG)
    return program


@pytest.mark.parametrize("module", MODULES)
def test_every_deployable_starts(builder: str, module: str) -> None:
    """Each module of the manifests starts as the image's user, on a read-only root, without a network."""
    assert builder
    assert "Usage:" in image_builder.run(TAG, module, "--help")
