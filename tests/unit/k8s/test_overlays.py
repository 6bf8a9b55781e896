"""What one overlay keeps and the other does not need."""

import pytest

from services.progress.settings import ProgressSettings
from tests.unit.k8s.layout import Layout, Manifest, Pod


def test_one_server_on_sqlite(local: Layout) -> None:
    """SQLite has one server, and the old one is gone before the new one opens the file."""
    progress = local.named("Deployment", "progress")["spec"]
    assert (progress["replicas"], progress["strategy"]) == (1, {"type": "Recreate"})


def test_one_database_file(local: Layout) -> None:
    """Server and reconciler open the same file on the same claim, as a group that may write it."""
    assert local.settings()["BATCHES_DATABASE_URL"] == "sqlite+aiosqlite:////data/batchprogress.db"
    databases = [_database(pod) for pod in local.pods() if pod.deployable in {"progress", "reconciler"}]
    assert databases == [("/data", {"claimName": "batchprogress-data"}, 10001)] * 2


def test_no_migration_on_sqlite(local: Layout) -> None:
    """SQLite creates its tables by itself."""
    assert local.of_kind("Job") == []


@pytest.mark.parametrize("name", ["progress", "job-status"])
def test_production_survives_a_node(production: Layout, name: str) -> None:
    """Production never has fewer servers than it asks for, at least two, spread over nodes and zones."""
    spec = production.named("Deployment", name)["spec"]
    assert _replicas_min(production, name) >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert [one["topologyKey"] for one in spec["template"]["spec"]["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert production.named("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_spread_counts_own_revision(production: Layout) -> None:
    """A pod is spread against pods of its own revision: the selector fits it, the key narrows it."""
    for pod in production.pods():
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            assert constraint["labelSelector"]["matchLabels"].items() <= pod.labels.items()
            assert constraint["matchLabelKeys"] == ["pod-template-hash"]


def test_scaling(production: Layout) -> None:
    """Only the autoscaler says how many progress servers there are, and it waits until load is spread."""
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
