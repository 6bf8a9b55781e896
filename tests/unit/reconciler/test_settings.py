"""The settings, and who may know gRPC."""

import subprocess
import sys

import pytest

from reconciler.run.deadline import FINISH_SECONDS_MAX
from reconciler.settings import ReconcilerSettings
from reconciler.usage import settings_text

JOB_SECONDS_MAX = 270
"""activeDeadlineSeconds of the CronJob's Jobs."""


def test_every_setting_is_explained() -> None:
    """Each setting has a unit or a reason, and --help tells it with its default as one would type it."""
    for name, field in ReconcilerSettings.model_fields.items():
        assert field.description
        assert f"RECONCILER_{name.upper()} (default" in settings_text()
    assert "RECONCILER_RETENTION (default 2592000)" in settings_text()


def test_a_pass_ends_before_its_job_does() -> None:
    """By default a pass, with the time it gives to batches under way, ends before Kubernetes ends it."""
    assert ReconcilerSettings().pass_seconds_max + FINISH_SECONDS_MAX < JOB_SECONDS_MAX


@pytest.mark.parametrize(
    "module", ["run.sweep", "decision.decide", "queue.listing", "output.tables", "run.repairer"]
)
def test_only_the_client_knows_grpc(module: str) -> None:
    """Neither the pass nor a decision nor the report brings gRPC or protobuf along."""
    code = (
        f"import sys, reconciler.{module}; sys.exit(bool({{'grpc', 'google.protobuf'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
