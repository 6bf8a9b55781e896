"""The component that gives every connection among our pods a certificate and a token."""

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
    },
    "tokens": {"progress": "progress-tokens", "job-status": "job-status-tokens"},
    "token": {"dashboard": "dashboard-token", "reconciler": "reconciler-token"},
}
"""Which pod mounts what, of which Secret: no key and no token is in two pods."""


@pytest.fixture(params=["production", "local"])
def secured(request: pytest.FixtureRequest, with_components: Callable[..., Layout]) -> Layout:
    """Return each overlay with the component."""
    return with_components("secured", overlay=request.param)


@pytest.mark.parametrize("key", HOLDERS)
def test_holders(secured: Layout, key: str) -> None:
    """Each pod mounts the key and the tokens that are its own, and no other's."""
    found = {pod.deployable: secret for pod in secured.pods() for secret in _secrets_with(pod, key)}
    assert found == HOLDERS[key]


def test_everyone_has_the_authority(secured: Layout) -> None:
    """Whoever calls, and whoever asks callers for certificates, knows the authority that signs them."""
    found = {pod.deployable for pod in secured.pods() if list(_secrets_with(pod, "ca.crt"))}
    assert found == {"job-status", "dashboard", "reconciler"}


def test_no_part_of_a_secret_is_mounted_as_a_copy(secured: Layout) -> None:
    """Secrets are mounted as folders: a file mounted by subPath would never see a new certificate."""
    mounts = [mount for pod in secured.pods() for mount in pod.container.get("volumeMounts", [])]
    assert [one for one in mounts if "subPath" in one] == []


def test_certificates_have_the_names_that_are_called() -> None:
    """A server's certificate is for the name by which our own callers call it."""
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
    """Return the certificates by the names of their Secrets."""
    manifests = yaml.safe_load_all((ROOT / "k8s/components/secured/certificates.yaml").read_text())
    return {one["spec"]["secretName"]: one["spec"] for one in manifests if one["kind"] == "Certificate"}


def _secrets_with(pod: Pod, key: str) -> list[str]:
    return [
        volume["secret"]["secretName"]
        for volume in pod.spec.get("volumes", [])
        if key in [item["key"] for item in volume.get("secret", {}).get("items", [])]
    ]
