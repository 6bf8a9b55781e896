"""What the API server makes of each layout."""

from collections.abc import Iterator
from functools import partial

import pytest
import yaml

from tests.k8s.cluster import Namespace, eventually
from tests.support.control_plane import ControlPlane
from tests.unit.k8s.layout import Manifest, render, renderer, title

pytestmark = pytest.mark.xdist_group("kubernetes")


@pytest.fixture
def objects(kustomization: str) -> tuple[Manifest, ...]:
    """Return what each layout holds."""
    return render(tuple(renderer()), kustomization).objects


def test_what_is_applied_is_what_is_there(
    namespace: Namespace, kustomization: str, objects: tuple[Manifest, ...]
) -> None:
    """The server takes every object without a warning, and keeps every field as it was written."""
    applied = namespace.apply(kustomization)
    assert len(applied.splitlines()) == len(objects)
    changed = [
        f"{title(written)}: {difference}"
        for written in objects
        for difference in _differences(written, _there(namespace, written))
    ]
    assert changed == []


def test_applying_again_changes_nothing(
    controllers: ControlPlane, namespace: Namespace, kustomization: str, objects: tuple[Manifest, ...]
) -> None:
    """A second apply leaves every object in its version, scaled or not; `kubectl diff` finds nothing."""
    assert controllers.has_controllers
    namespace.apply(kustomization)
    for scaler in namespace.all_of("horizontalpodautoscalers"):
        eventually(partial(_is_scaled, namespace, scaler["spec"]))
    before = _generations(namespace, objects)
    namespace.apply(kustomization)
    assert _generations(namespace, objects) == before
    assert namespace.kubectl("diff", "--server-side", "-k", kustomization) == ""


def test_pods_are_admitted(controllers: ControlPlane, namespace: Namespace, kustomization: str) -> None:
    """Every Deployment gets its pods, which Pod Security "restricted" lets in."""
    assert controllers.has_controllers
    namespace.apply(kustomization)
    owners = [*namespace.all_of("deployments"), *namespace.all_of("jobs")]
    for name in (one["metadata"]["name"] for one in owners):
        eventually(partial(namespace.all_of, "pods", f"app.kubernetes.io/name={name}"))
    messages = [one["message"] for one in namespace.all_of("events")]
    assert [one for one in messages if "violates PodSecurity" in one] == []


def test_others_are_not_admitted(namespace: Namespace) -> None:
    """A pod without these restrictions is refused in the same namespace: it is really enforced."""
    said = namespace.try_kubectl("run", "careless", "--image=example")
    assert said.code != 0
    assert 'violates PodSecurity "restricted' in said.err


@pytest.mark.parametrize("kustomization", ["components/kubernetes-jobs"], indirect=True)
def test_access(namespace: Namespace, kustomization: str) -> None:
    """The account of job-status may list the Jobs of this namespace, and that is all anyone may."""
    namespace.apply(kustomization)
    questions = [
        (account, verb, resource)
        for account in ("job-status", "progress", "reconciler", "migrate")
        for verb, resource in (
            *(("get", "jobs"), ("list", "jobs"), ("watch", "jobs"), ("create", "jobs"), ("delete", "jobs")),
            *(("list", "pods"), ("get", "secrets"), ("list", "secrets"), ("get", "configmaps")),
        )
    ]
    allowed = [one for one in questions if _may(namespace, *one)]
    assert allowed == [("job-status", "list", "jobs")]
    assert not _may(namespace, "job-status", "list", "jobs", "--namespace=default")


def _may(namespace: Namespace, account: str, verb: str, resource: str, *more: str) -> bool:
    caller = f"--as=system:serviceaccount:{namespace.name}:{account}"
    return namespace.try_kubectl("auth", "can-i", verb, resource, caller, *more).out.strip() == "yes"


def _there(namespace: Namespace, written: Manifest) -> Manifest:
    return namespace.get(written["kind"], written["metadata"]["name"])


def _is_scaled(namespace: Namespace, scaler: Manifest) -> bool:
    """Tell whether an autoscaler has brought its Deployment to its least number."""
    deployment = namespace.get(scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"])
    return bool(deployment["spec"]["replicas"] >= scaler["minReplicas"])


def _generations(namespace: Namespace, objects: tuple[Manifest, ...]) -> dict[str, object]:
    """Return what rises when a spec changes; a ConfigMap has none: its name is that of its content."""
    return {title(one): _there(namespace, one)["metadata"].get("generation") for one in objects}


def _differences(written: object, there: object, path: str = "") -> Iterator[str]:
    """Yield each place where what is there is not what was written; what the server adds is its own."""
    if isinstance(written, dict) and isinstance(there, dict):
        for key, value in written.items():
            if key in there:
                yield from _differences(value, there[key], f"{path}.{key}")
            elif value not in ({}, [], None):
                yield f"{path}.{key} is gone"
    elif isinstance(written, list) and isinstance(there, list) and len(written) == len(there):
        for place, (one, other) in enumerate(zip(written, there, strict=True)):
            yield from _differences(one, other, f"{path}[{place}]")
    elif written != there:
        yield f"{path} was {yaml.safe_dump(written).strip()} and is {there}"
