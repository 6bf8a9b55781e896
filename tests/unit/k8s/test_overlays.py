"""The rules for a single overlay."""

import copy
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from services.progress.settings import ProgressSettings
from tests.unit.k8s.layout import Layout, Manifest, Pod, render, title, write_kustomization

DEPRECATED = "batchprogress.dev/deprecated"
"""The annotation of what the next version removes."""


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


@pytest.mark.parametrize("name", ["progress", "job-status", "gateway"])
def test_servers_survive_the_loss_of_a_node(trusted_network: Layout, name: str) -> None:
    """It has at least two servers, spread over nodes and zones, even during a rollout."""
    spec = trusted_network.named("Deployment", name)["spec"]
    assert _replicas_min(trusted_network, name) >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert [one["topologyKey"] for one in spec["template"]["spec"]["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert trusted_network.named("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_spread_counts_only_pods_of_the_same_revision(trusted_network: Layout) -> None:
    for pod in trusted_network.pods():
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            assert constraint["labelSelector"]["matchLabels"].items() <= pod.labels.items()
            assert constraint["matchLabelKeys"] == ["pod-template-hash"]


def test_only_the_autoscaler_sets_the_replicas_of_progress(trusted_network: Layout) -> None:
    """It scales down only after the load has been balanced."""
    assert "replicas" not in trusted_network.named("Deployment", "progress")["spec"]
    scaler = trusted_network.named("HorizontalPodAutoscaler", "progress")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "progress"}
    assert scaler["minReplicas"] < scaler["maxReplicas"]
    age = ProgressSettings.model_fields["connection_age_seconds_max"].default
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= age


def test_old_name_renders_the_same_and_says_so(
    render_command: tuple[str, ...], trusted_network: Layout
) -> None:
    """Applying overlays/production of 0.1 under its new name restarts no pod."""
    old = copy.deepcopy(render(render_command, "overlays/production"))
    assert [title(one) for one in old.objects] == [title(one) for one in trusted_network.objects]
    (settings,) = old.of_kind("ConfigMap")
    assert "overlays/trusted-network" in settings["metadata"].pop("annotations")[DEPRECATED]
    assert old.objects == trusted_network.objects


def test_secured_is_the_trusted_network_with_two_components(
    secured: Layout, with_components: Callable[..., Layout]
) -> None:
    assert secured.objects == with_components("secured", "watch-tokens", overlay="trusted-network").objects


def test_setting_that_changes_leaves_the_migration_as_it_is(
    with_components: Callable[..., Layout], trusted_network: Layout
) -> None:
    """A Job is immutable, so every apply would fail until it is deleted."""
    changed = with_components("rq")
    assert changed.settings() != trusted_network.settings()
    assert changed.of_kind("Job") == trusted_network.of_kind("Job")


def test_migration_that_changes_has_another_name(
    render_command: tuple[str, ...], trusted_network: Layout, tmp_path: Path
) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "patch").mkdir()
    image = {"name": "batchprogress", "newName": "registry.example/batchprogress"}
    limit = '[{"op": "replace", "path": "/spec/backoffLimit", "value": 1}]'
    patch = {"target": {"kind": "Job", "name": "migrate"}, "patch": limit}
    folders = [
        write_kustomization(tmp_path / "image", "overlays/trusted-network", images=[image]),
        write_kustomization(tmp_path / "patch", "overlays/trusted-network", patches=[patch]),
    ]
    layouts = [trusted_network, *(render(render_command, folder) for folder in folders)]
    names = {title(job) for layout in layouts for job in layout.of_kind("Job")}
    assert len(names) == len(layouts)
    assert all(re.fullmatch("Job/migrate-[a-z0-9]{10}", name) for name in names)


def _replicas_min(layout: Layout, name: str) -> int:
    for scaler in layout.of_kind("HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == name:
            return int(scaler["spec"]["minReplicas"])
    return int(layout.named("Deployment", name)["spec"]["replicas"])


def _database(pod: Pod) -> tuple[str, Manifest, int]:
    (volume,) = (one for one in pod.spec["volumes"] if "persistentVolumeClaim" in one)
    (mount,) = (one for one in pod.container["volumeMounts"] if one["name"] == volume["name"])
    return mount["mountPath"], volume["persistentVolumeClaim"], pod.spec["securityContext"]["fsGroup"]
