"""The image, built and run where a builder is."""

from pathlib import Path

import pytest

from tests.k8s import image_builder
from tests.support.databases.commands import output_of
from tests.unit.k8s.layout import ROOT

TAG = "batchprogress:test"
RUN_SECONDS_MAX = 60.0
MODULES = ("batches", "reconciler", "services.job_status", "services.progress")


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
    if Path(builder).name == "buildah":
        pytest.skip("buildah builds images and runs none")
    restrictions = ("--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    said = output_of(
        builder, "run", "--rm", *restrictions, TAG, module, "--help", seconds_max=RUN_SECONDS_MAX
    )
    assert "Usage:" in said
