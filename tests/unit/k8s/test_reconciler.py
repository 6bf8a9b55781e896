"""The schedule, time limits and retries of the reconciler."""

import pytest

from tests.unit.k8s.layout import Layout, Manifest, Pod

PERIOD_SECONDS = 300
"""`*/5 * * * *`."""

CONTROLLER_SECONDS = 10
"""The interval at which Kubernetes checks CronJobs: a shorter starting deadline would miss every start."""


@pytest.fixture
def schedule(layout: Layout) -> Manifest:
    """Return the spec of the CronJob."""
    return dict(layout.named("CronJob", "reconciler")["spec"])


@pytest.fixture
def job(schedule: Manifest) -> Manifest:
    """Return the spec of the Jobs that it creates."""
    return dict(schedule["jobTemplate"]["spec"])


def test_pass_starts_every_five_minutes(schedule: Manifest) -> None:
    """The time zone is fixed, and a pass does not start while another one is running."""
    assert schedule["schedule"] == "*/5 * * * *"
    assert schedule["timeZone"] == "Etc/UTC"
    assert schedule["concurrencyPolicy"] == "Forbid"
    assert not schedule.get("suspend")


def test_late_pass_starts_before_the_next_one_is_due(schedule: Manifest) -> None:
    assert CONTROLLER_SECONDS < schedule["startingDeadlineSeconds"] < PERIOD_SECONDS


def test_pass_ends_before_its_job_and_the_job_before_the_next_pass(layout: Layout, job: Manifest) -> None:
    pass_seconds = int(layout.settings()["RECONCILER_PASS_SECONDS_MAX"])
    grace_seconds = job["template"]["spec"]["terminationGracePeriodSeconds"]
    assert pass_seconds < job["activeDeadlineSeconds"]
    assert job["activeDeadlineSeconds"] + grace_seconds < PERIOD_SECONDS


def test_jobs_are_kept_for_a_limited_time(schedule: Manifest, job: Manifest) -> None:
    """Three successful and three failed Jobs are kept."""
    assert (schedule["successfulJobsHistoryLimit"], schedule["failedJobsHistoryLimit"]) == (3, 3)
    assert 0 < job["ttlSecondsAfterFinished"] <= 7 * 24 * 3600


def test_failed_pass_or_migration_is_retried(layout: Layout) -> None:
    """It is not retried if the arguments or settings are invalid."""
    for kind, name in (("CronJob", "reconciler"), ("Job", "migrate")):
        for manifest in layout.of_kind(kind):
            spec = manifest["spec"].get("jobTemplate", manifest)["spec"]
            assert 0 < spec["backoffLimit"] <= 3
            assert spec["template"]["spec"]["restartPolicy"] == "Never"
            fail, ignore = spec["podFailurePolicy"]["rules"]
            assert fail == {
                "action": "FailJob",
                "onExitCodes": {"containerName": name, "operator": "In", "values": [2, 78]},
            }
            assert ignore == {
                "action": "Ignore",
                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
            }


def test_scheduled_pass_checks_only_stuck_batches(job: Manifest) -> None:
    """--all would check every batch."""
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"] == ["reconciler"]


def test_target_is_a_port_of_a_service(layout: Layout) -> None:
    name, _, port = layout.settings()["RECONCILER_JOB_STATUS_TARGET"].partition(":")
    ports = layout.named("Service", name)["spec"]["ports"]
    assert int(port) in {one["port"] for one in ports}


def test_cronjob_has_the_shared_fields_of_all_pods(base: Layout) -> None:
    """pods.yaml and cronjob-pods.yaml are equal. Only the migration reads no settings."""
    shared = {pod.deployable: _shared(pod) for pod in base.pods()}
    assert shared["migrate"].pop("envFrom") == (None, None)
    for name, fields in shared.items():
        assert fields == {key: shared["reconciler"][key] for key in fields}, name


def _shared(pod: Pod) -> Manifest:
    keys = ("enableServiceLinks", "securityContext", "envFrom", "terminationMessagePolicy")
    return {key: (pod.spec.get(key), pod.container.get(key)) for key in keys}
