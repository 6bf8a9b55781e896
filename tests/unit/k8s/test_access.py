"""The permissions of job-status, compared with the calls that the code makes."""

import ast
import re
from collections.abc import Callable

import pytest
import yaml

from tests.unit.k8s.layout import ROOT, Layout

VERBS = {"read": "get", "list": "list", "create": "create", "delete": "delete", "patch": "patch"}
"""The prefixes of methods in the package `kubernetes`, and the verbs that roles use for them."""

CALL = re.compile(rf"({'|'.join(VERBS)})_namespaced_([a-z]+)(?:_[a-z_]+)?")
GRANTED = {("list", "jobs")}


def test_role_permits_only_to_list_jobs_of_its_namespace(over_kubernetes_jobs: Layout) -> None:
    """There is no other role."""
    (role,) = over_kubernetes_jobs.of_kind("Role")
    assert role["rules"] == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]
    (binding,) = over_kubernetes_jobs.of_kind("RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "job-status"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert not over_kubernetes_jobs.of_kind("ClusterRole")


def test_role_permits_every_call_of_the_sources() -> None:
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
def test_calls_are_found_in_code(code: str, expected: set[tuple[str, str]]) -> None:
    assert calls_in(code) == expected


def test_only_job_status_has_a_token_for_the_api_server(over_kubernetes_jobs: Layout, layout: Layout) -> None:
    """It has one only if Kubernetes is the queue."""
    for one in (layout, over_kubernetes_jobs):
        holders = {pod.deployable for pod in one.pods() if pod.spec.get("automountServiceAccountToken")}
        assert holders == ({"job-status"} if one is over_kubernetes_jobs else set())


def test_job_status_needs_no_secret_if_kubernetes_is_the_queue(over_kubernetes_jobs: Layout) -> None:
    """It reads the Jobs of its own namespace."""
    (pod,) = (one for one in over_kubernetes_jobs.pods() if one.deployable == "job-status")
    assert "volumes" not in pod.spec or pod.spec["volumes"] == []
    assert over_kubernetes_jobs.settings()["JOB_STATUS_SOURCE"] == "kubernetes"
    (variable,) = pod.container["env"]
    assert variable == {
        "name": "JOB_STATUS_KUBERNETES_NAMESPACE",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
    }


def test_role_for_jobs_in_another_namespace_is_applied_there(
    with_components: Callable[..., Layout],
) -> None:
    """It is bound to the same account, and there is no Role in our namespace."""
    layout = with_components("kubernetes-jobs-elsewhere")
    assert layout.of_kind("Role") == layout.of_kind("RoleBinding") == []
    (pod,) = (one for one in layout.pods() if one.deployable == "job-status")
    assert pod.spec["automountServiceAccountToken"] is True
    assert pod.container["env"] == [], "the ConfigMap sets the namespace"
    access = ROOT / "k8s/components/kubernetes-jobs-elsewhere/access.yaml"
    role, binding = yaml.safe_load_all(access.read_text())
    assert role["rules"] == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == ("Role", role["metadata"]["name"])
    namespace = yaml.safe_load((ROOT / "k8s/namespace.yaml").read_text())["metadata"]["name"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": pod.spec["serviceAccountName"], "namespace": namespace}
    ]


def calls_in(code: str) -> set[tuple[str, str]]:
    """Return the verb and resource of each call to the API server in Python code."""
    names = (node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute))
    return {(VERBS[found[1]], f"{found[2]}s") for name in names if (found := CALL.fullmatch(name))}
