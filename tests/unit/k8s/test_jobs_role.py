"""What the source of Kubernetes Jobs may do in the cluster."""

import yaml

from tests.unit.k8s.layout import ROOT

FILE = ROOT / "k8s/components/kubernetes-jobs/in-another-namespace.yaml"


def test_reads_jobs_only() -> None:
    """Its Role is to read Jobs in one namespace, bound to the account of job-status and to no other."""
    role, binding = yaml.safe_load_all(FILE.read_text(encoding="utf-8"))
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert role["rules"] == [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(one["kind"], one["name"]) for one in binding["subjects"]] == [("ServiceAccount", "job-status")]
