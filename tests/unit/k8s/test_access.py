"""What job-status may ask of the API server, against what the code asks."""

import ast
import re
from collections.abc import Callable

import pytest
import yaml

from tests.unit.k8s.layout import ROOT, Layout

VERBS = {"read": "get", "list": "list", "create": "create", "delete": "delete", "patch": "patch"}
"""What the methods of the package `kubernetes` begin with, and what roles call it."""

CALL = re.compile(rf"({'|'.join(VERBS)})_namespaced_([a-z]+)(?:_[a-z_]+)?")
GRANTED = {("list", "jobs")}


def test_role(over_kubernetes_jobs: Layout) -> None:
    """The role grants the list of Jobs in its own namespace and nothing else; there is no other role."""
    (role,) = over_kubernetes_jobs.of_kind("Role")
    assert role["rules"] == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]
    (binding,) = over_kubernetes_jobs.of_kind("RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "job-status"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert not over_kubernetes_jobs.of_kind("ClusterRole")


def test_calls_are_granted() -> None:
    """Every call that the sources make of the API server is one that the role grants."""
    sources = (ROOT / "services/job_status/sources").glob("*.py")
    assert {call for source in sources for call in calls_in(source.read_text())} <= GRANTED


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("api.list_namespaced_job(namespace)", {("list", "jobs")}),
        ("await api.list_namespaced_job_without_preload_content(n, limit=5)", {("list", "jobs")}),
        ("api.read_namespaced_job(name, namespace)", {("get", "jobs")}),
        ("api.delete_namespaced_pod(name, namespace)", {("delete", "pods")}),
    ],
)
def test_calls_are_found(code: str, expected: set[tuple[str, str]]) -> None:
    """The search is not blind."""
    assert calls_in(code) == expected


def test_only_job_status_gets_a_token(over_kubernetes_jobs: Layout, layout: Layout) -> None:
    """No pod has a token of the API server, but job-status where Kubernetes is the queue."""
    for one in (layout, over_kubernetes_jobs):
        holders = {pod.deployable for pod in one.pods() if pod.spec.get("automountServiceAccountToken")}
        assert holders == ({"job-status"} if one is over_kubernetes_jobs else set())


def test_no_database_beside_kubernetes(over_kubernetes_jobs: Layout) -> None:
    """Where Kubernetes is the queue, job-status holds no Secret and asks for Jobs of its own namespace."""
    (pod,) = (one for one in over_kubernetes_jobs.pods() if one.deployable == "job-status")
    assert "volumes" not in pod.spec or pod.spec["volumes"] == []
    assert over_kubernetes_jobs.settings()["JOB_STATUS_SOURCE"] == "kubernetes"
    (variable,) = pod.container["env"]
    assert variable == {
        "name": "JOB_STATUS_KUBERNETES_NAMESPACE",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
    }


def test_another_namespace(with_components: Callable[..., Layout]) -> None:
    """For Jobs elsewhere nothing may be read here; the Role is applied there, for the same account."""
    layout = with_components("kubernetes-jobs-elsewhere")
    assert layout.of_kind("Role") == layout.of_kind("RoleBinding") == []
    (pod,) = (one for one in layout.pods() if one.deployable == "job-status")
    assert pod.spec["automountServiceAccountToken"] is True
    assert pod.container["env"] == [], "the ConfigMap names the namespace"
    access = ROOT / "k8s/components/kubernetes-jobs-elsewhere/access.yaml"
    role, binding = yaml.safe_load_all(access.read_text())
    assert role["rules"] == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == ("Role", role["metadata"]["name"])
    namespace = yaml.safe_load((ROOT / "k8s/namespace.yaml").read_text())["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": pod.spec["serviceAccountName"], "namespace": namespace}
    ]


def calls_in(code: str) -> set[tuple[str, str]]:
    """Return verb and resource of each call of the API server in Python code."""
    names = (node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute))
    return {(VERBS[found[1]], f"{found[2]}s") for name in names if (found := CALL.fullmatch(name))}
