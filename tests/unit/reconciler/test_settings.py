"""The settings, and which modules know gRPC."""

import subprocess
import sys

import pytest

from process.options import settings_help
from reconciler.run.deadline import FINISH_SECONDS_MAX
from reconciler.settings import ReconcilerSettings

JOB_SECONDS_MAX = 270
"""activeDeadlineSeconds of the CronJob's Jobs."""


def test_help_describes_every_setting_with_its_default() -> None:
    """A default is shown as a user would type it."""
    shown = settings_help(ReconcilerSettings)
    for name, field in ReconcilerSettings.model_fields.items():
        assert f"RECONCILER_{name.upper()}: " in shown
        typed = f"{field.default:.0f}" if isinstance(field.default, float) else field.default
        ways = ("Default:",) if field.default is None else (f"Default {typed}:", f"Default: {typed}.")
        assert any(text in str(field.description) for text in ways), name


def test_a_pass_ends_before_its_job_is_killed() -> None:
    """The default time, together with that of batches in progress, is shorter than Kubernetes' limit."""
    assert ReconcilerSettings().pass_seconds_max + FINISH_SECONDS_MAX < JOB_SECONDS_MAX


@pytest.mark.parametrize(
    "module", ["run.sweep", "decision.decide", "queue.reader", "output.tables", "run.repairer"]
)
def test_only_the_client_of_the_queue_imports_grpc(module: str) -> None:
    """Neither a decision, nor the pass, nor the report imports gRPC or protobuf."""
    code = (
        f"import sys, reconciler.{module}; sys.exit(bool({{'grpc', 'google.protobuf'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
