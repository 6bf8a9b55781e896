"""Each layout, applied to an API server."""

from collections.abc import Iterator
from functools import partial

import pytest
import yaml

from tests.k8s.applied_layouts import LAYOUTS, folders_of
from tests.k8s.cluster import Namespace, eventually
from tests.unit.k8s.layout import ROOT, Manifest, render, renderer, title

pytestmark = pytest.mark.xdist_group("kubernetes")


def test_every_overlay_and_component_is_applied() -> None:
    manifests = ROOT / "k8s"
    known = {one.parent for one in manifests.glob("*/*/kustomization.yaml")}
    applied = {folder for layout in LAYOUTS for folder in folders_of(layout, manifests)}
    assert known - applied == set()


@pytest.fixture
def objects(kustomization: str) -> tuple[Manifest, ...]:
    """Return the objects of each layout."""
    return render(tuple(renderer()), kustomization).objects


def test_server_keeps_every_field(
    namespace: Namespace, kustomization: str, objects: tuple[Manifest, ...]
) -> None:
    """It accepts every object without a warning."""
    applied = namespace.apply(kustomization)
    assert len(applied.splitlines()) == len(objects)
    changed = [
        f"{title(written)}: {difference}"
        for written in objects
        for difference in _differences(written, _stored(namespace, written))
    ]
    assert changed == []


@pytest.mark.usefixtures("controllers")
def test_applying_again_changes_nothing(
    namespace: Namespace, kustomization: str, objects: tuple[Manifest, ...]
) -> None:
    """The objects keep their generation, even if scaled, and `kubectl diff` finds no difference."""
    namespace.apply(kustomization)
    for scaler in namespace.all_of("horizontalpodautoscalers"):
        eventually(partial(_is_scaled, namespace, scaler["spec"]))
    before = _generations(namespace, objects)
    namespace.apply(kustomization)
    assert _generations(namespace, objects) == before
    assert namespace.kubectl("diff", "--server-side", "-k", kustomization) == ""


@pytest.mark.usefixtures("controllers")
def test_pods_are_admitted(namespace: Namespace, kustomization: str) -> None:
    """Pod Security "restricted" admits the pods of every Deployment and Job."""
    namespace.apply(kustomization)
    owners = [*namespace.all_of("deployments"), *namespace.all_of("jobs")]
    for name in (one["metadata"]["labels"]["app.kubernetes.io/name"] for one in owners):
        eventually(partial(namespace.all_of, "pods", f"app.kubernetes.io/name={name}"))
    messages = [one["message"] for one in namespace.all_of("events")]
    assert [one for one in messages if "violates PodSecurity" in one] == []


def test_unrestricted_pod_is_refused(namespace: Namespace) -> None:
    """Pod Security is really enforced in this namespace."""
    output = namespace.try_kubectl("run", "careless", "--image=example")
    assert output.code != 0
    assert 'violates PodSecurity "restricted' in output.err


@pytest.mark.parametrize("kustomization", ["trusted-network kubernetes-jobs"], indirect=True)
def test_only_job_status_may_list_jobs(namespace: Namespace, kustomization: str) -> None:
    """No account has any other permission."""
    namespace.apply(kustomization)
    requests = [
        (account, verb, resource)
        for account in ("job-status", "progress", "reconciler", "migrate")
        for verb, resource in (
            *(("get", "jobs"), ("list", "jobs"), ("watch", "jobs"), ("create", "jobs"), ("delete", "jobs")),
            *(("list", "pods"), ("get", "secrets"), ("list", "secrets"), ("get", "configmaps")),
        )
    ]
    allowed = [one for one in requests if _may(namespace, *one)]
    assert allowed == [("job-status", "list", "jobs")]
    assert not _may(namespace, "job-status", "list", "jobs", "--namespace=default")


def _may(namespace: Namespace, account: str, verb: str, resource: str, *more: str) -> bool:
    caller = f"--as=system:serviceaccount:{namespace.name}:{account}"
    return namespace.try_kubectl("auth", "can-i", verb, resource, caller, *more).out.strip() == "yes"


def _stored(namespace: Namespace, written: Manifest) -> Manifest:
    return namespace.get(written["kind"], written["metadata"]["name"])


def _is_scaled(namespace: Namespace, scaler: Manifest) -> bool:
    """Return whether an autoscaler has scaled its Deployment to minReplicas."""
    deployment = namespace.get(scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"])
    return bool(deployment["spec"]["replicas"] >= scaler["minReplicas"])


def _generations(namespace: Namespace, objects: tuple[Manifest, ...]) -> dict[str, object]:
    """Return the generations, which change with the specs; a ConfigMap has none but a hash in its name."""
    return {title(one): _stored(namespace, one)["metadata"].get("generation") for one in objects}


def _differences(written: object, stored: object, path: str = "") -> Iterator[str]:
    """Yield each written field that is stored differently; the server may add fields."""
    if isinstance(written, dict) and isinstance(stored, dict):
        for key, value in written.items():
            if key in stored:
                yield from _differences(value, stored[key], f"{path}.{key}")
            elif value not in ({}, [], None):
                yield f"{path}.{key} is missing"
    elif isinstance(written, list) and isinstance(stored, list) and len(written) == len(stored):
        for position, (one, other) in enumerate(zip(written, stored, strict=True)):
            yield from _differences(one, other, f"{path}[{position}]")
    elif written != stored:
        yield f"{path} was {yaml.safe_dump(written).strip()} and is {stored}"
