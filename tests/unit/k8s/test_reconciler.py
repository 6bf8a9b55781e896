"""How the pass of the reconciler is scheduled, bounded and tried again."""

import pytest

from tests.unit.k8s.layout import Layout, Manifest, Pod

PERIOD_SECONDS = 300
"""`*/5 * * * *`."""

CONTROLLER_SECONDS = 10
"""How often Kubernetes looks at its CronJobs: a shorter starting deadline would miss every start."""


@pytest.fixture
def schedule(layout: Layout) -> Manifest:
    """Return the CronJob's spec."""
    return dict(layout.named("CronJob", "reconciler")["spec"])


@pytest.fixture
def job(schedule: Manifest) -> Manifest:
    """Return the spec of the Jobs it makes."""
    return dict(schedule["jobTemplate"]["spec"])


def test_schedule(schedule: Manifest) -> None:
    """A pass starts every five minutes of one time zone, and not while another one runs."""
    assert schedule["schedule"] == "*/5 * * * *"
    assert schedule["timeZone"] == "Etc/UTC"
    assert schedule["concurrencyPolicy"] == "Forbid"
    assert not schedule.get("suspend")


def test_missed_starts(schedule: Manifest) -> None:
    """A late pass still starts for a while, and not once the next one is due."""
    assert CONTROLLER_SECONDS < schedule["startingDeadlineSeconds"] < PERIOD_SECONDS


def test_deadlines(layout: Layout, job: Manifest) -> None:
    """A pass ends by itself before its Job ends it, and the Job is gone before the next pass is due."""
    pass_seconds = int(layout.settings()["RECONCILER_PASS_SECONDS_MAX"])
    grace_seconds = job["template"]["spec"]["terminationGracePeriodSeconds"]
    assert pass_seconds < job["activeDeadlineSeconds"]
    assert job["activeDeadlineSeconds"] + grace_seconds < PERIOD_SECONDS


def test_history(schedule: Manifest, job: Manifest) -> None:
    """Three passes of each kind stay readable, and nothing stays for ever."""
    assert (schedule["successfulJobsHistoryLimit"], schedule["failedJobsHistoryLimit"]) == (3, 3)
    assert 0 < job["ttlSecondsAfterFinished"] <= 7 * 24 * 3600


def test_retries(layout: Layout) -> None:
    """A failed pass or migration is tried again a few times, but not with wrong arguments or settings."""
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


def test_pass_looks_at_stuck_batches(job: Manifest) -> None:
    """A scheduled pass leaves alone what is not stuck: --all would look at every batch, however fresh."""
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"] == ["reconciler"]


def test_target_is_a_service(layout: Layout) -> None:
    """The reconciler asks a Service of this layout, on a port that it has."""
    name, _, port = layout.settings()["RECONCILER_JOB_STATUS_TARGET"].partition(":")
    ports = layout.named("Service", name)["spec"]["ports"]
    assert int(port) in {one["port"] for one in ports}


def test_same_rules_as_other_pods(base: Layout) -> None:
    """What pods.yaml gives to every pod, cronjob-pods.yaml gives to the reconciler's."""
    reconciler, *others = sorted(base.pods(), key=lambda pod: pod.deployable != "reconciler")
    assert reconciler.deployable == "reconciler"
    assert [_shared(pod) for pod in others] == [_shared(reconciler)] * len(others)


def _shared(pod: Pod) -> Manifest:
    keys = ("enableServiceLinks", "securityContext", "envFrom", "terminationMessagePolicy")
    return {key: (pod.spec.get(key), pod.container.get(key)) for key in keys}
