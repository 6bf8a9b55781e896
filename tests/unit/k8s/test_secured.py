"""The component `secured`: TLS and tokens between our pods."""

from collections.abc import Callable

import pytest
import yaml

from tests.unit.k8s.layout import ROOT, Layout, Manifest, Pod

HOLDERS = {
    "tls.key": {
        "progress": "progress-tls",
        "job-status": "job-status-tls",
        "reconciler": "reconciler-tls",
        "dashboard": "dashboard-tls",
        "gateway": "gateway-tls",
    },
    "tokens": {"progress": "progress-tokens", "job-status": "job-status-tokens"},
    "token": {"dashboard": "dashboard-token", "reconciler": "reconciler-token"},
}
"""For each key of a Secret, the pods that mount it and the Secrets: no key or token is in two pods."""


@pytest.fixture(params=["trusted-network", "local"])
def secured(request: pytest.FixtureRequest, with_components: Callable[..., Layout]) -> Layout:
    """Return each overlay with the component."""
    return with_components("secured", overlay=request.param)


def test_only_progress_reads_the_key_of_watch_tokens(with_components: Callable[..., Layout]) -> None:
    """By its group: the file is not open to every user, which the server would refuse."""
    layout = with_components("secured", "watch-tokens", overlay="trusted-network")
    found = {pod.deployable: pod for pod in layout.pods() if list(_secrets_with(pod, "keys"))}
    assert found.keys() == {"progress"}
    (volume,) = (one for one in found["progress"].spec["volumes"] if one["name"] == "watch-token-key")
    assert volume["secret"]["defaultMode"] == 0o440
    assert found["progress"].spec["securityContext"]["fsGroup"] == 10_001


@pytest.mark.parametrize("key", HOLDERS)
def test_pod_mounts_only_its_own_key_and_token(secured: Layout, key: str) -> None:
    found = {pod.deployable: secret for pod in secured.pods() for secret in _secrets_with(pod, key)}
    assert found == HOLDERS[key]


def test_pod_that_verifies_certificates_has_the_authority(secured: Layout) -> None:
    """Callers verify the server; job-status also verifies its caller."""
    found = {pod.deployable for pod in secured.pods() if list(_secrets_with(pod, "ca.crt"))}
    assert found == {"job-status", "dashboard", "gateway", "reconciler"}


def test_secrets_are_mounted_as_folders(secured: Layout) -> None:
    """A file mounted with subPath would never be updated."""
    mounts = [mount for pod in secured.pods() for mount in pod.container.get("volumeMounts", [])]
    assert [one for one in mounts if "subPath" in one] == []


def test_certificate_is_valid_for_the_name_that_callers_use() -> None:
    certificates = _certificates()
    for line in (ROOT / "k8s/base/settings.env").read_text().splitlines():
        name, _, target = line.partition("=")
        if name.endswith("_TARGET"):
            host = target.removeprefix("dns:///").partition(":")[0]
            assert host in certificates[f"{host}-tls"]["dnsNames"], line
            assert "server auth" in certificates[f"{host}-tls"]["usages"]
    for caller in ("reconciler-tls", "dashboard-tls"):
        assert "client auth" in certificates[caller]["usages"]


def _certificates() -> dict[str, Manifest]:
    """Return the spec of each certificate by the name of its Secret."""
    manifests = yaml.safe_load_all((ROOT / "k8s/components/secured/certificates.yaml").read_text())
    return {one["spec"]["secretName"]: one["spec"] for one in manifests if one["kind"] == "Certificate"}


def _secrets_with(pod: Pod, key: str) -> list[str]:
    return [
        volume["secret"]["secretName"]
        for volume in pod.spec.get("volumes", [])
        if key in [item["key"] for item in volume.get("secret", {}).get("items", [])]
    ]
