"""The rules for a single overlay."""

import pytest

from services.progress.settings import ProgressSettings
from tests.unit.k8s.layout import Layout, Manifest, Pod


def test_sqlite_has_one_server(local: Layout) -> None:
    """The old server stops before the new one opens the file."""
    progress = local.named("Deployment", "progress")["spec"]
    assert (progress["replicas"], progress["strategy"]) == (1, {"type": "Recreate"})


def test_server_and_reconciler_share_the_sqlite_file(local: Layout) -> None:
    """They mount the same claim, with a group that may write to it."""
    assert local.settings()["BATCHES_DATABASE_URL"] == "sqlite+aiosqlite:////data/batchprogress.db"
    databases = [_database(pod) for pod in local.pods() if pod.deployable in {"progress", "reconciler"}]
    assert databases == [("/data", {"claimName": "batchprogress-data"}, 10001)] * 2


def test_sqlite_needs_no_migration(local: Layout) -> None:
    """The server creates the tables."""
    assert local.of_kind("Job") == []


@pytest.mark.parametrize("name", ["progress", "job-status"])
def test_production_survives_the_loss_of_a_node(production: Layout, name: str) -> None:
    """It has at least two servers, spread over nodes and zones, even during a rollout."""
    spec = production.named("Deployment", name)["spec"]
    assert _replicas_min(production, name) >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert [one["topologyKey"] for one in spec["template"]["spec"]["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert production.named("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_spread_counts_only_pods_of_the_same_revision(production: Layout) -> None:
    for pod in production.pods():
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            assert constraint["labelSelector"]["matchLabels"].items() <= pod.labels.items()
            assert constraint["matchLabelKeys"] == ["pod-template-hash"]


def test_only_the_autoscaler_sets_the_replicas_of_progress(production: Layout) -> None:
    """It scales down only after the load has been balanced."""
    assert "replicas" not in production.named("Deployment", "progress")["spec"]
    scaler = production.named("HorizontalPodAutoscaler", "progress")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "progress"}
    assert scaler["minReplicas"] < scaler["maxReplicas"]
    age = ProgressSettings.model_fields["connection_age_seconds_max"].default
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= age


def _replicas_min(layout: Layout, name: str) -> int:
    for scaler in layout.of_kind("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == name:
            return int(scaler["spec"]["minReplicas"])
    return int(layout.named("Deployment", name)["spec"]["replicas"])


def _database(pod: Pod) -> tuple[str, Manifest, int]:
    (volume,) = (one for one in pod.spec["volumes"] if "persistentVolumeClaim" in one)
    (mount,) = (one for one in pod.container["volumeMounts"] if one["name"] == volume["name"])
    return mount["mountPath"], volume["persistentVolumeClaim"], pod.spec["securityContext"]["fsGroup"]
