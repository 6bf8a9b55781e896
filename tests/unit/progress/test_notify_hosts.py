"""Which hosts a notify_url may lead to."""

import pytest

from services.progress.errors import NotifyUrlRefused
from services.progress.notify_hosts import NotifyHosts

HOSTS = NotifyHosts("app.example, Hooks.example:8443,http://app.internal:8000,")


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://APP.example/x?key=1",
        "https://app.example:443/x",
        "https://hooks.example:8443/x",
        "http://app.internal:8000",
    ],
)
def test_a_listed_host_is_allowed(url: str | None) -> None:
    HOSTS.require_allowed(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/x",
        "https://hooks.example/x",
        "https://app.example.evil/x",
        "https://app.internal:8000/x",
        "https://evil.app.example/x",
    ],
)
def test_any_other_host_is_refused(url: str) -> None:
    with pytest.raises(NotifyUrlRefused):
        HOSTS.require_allowed(url)


def test_without_a_list_each_url_is_refused_and_only_its_host_is_quoted() -> None:
    with pytest.raises(NotifyUrlRefused) as caught:
        NotifyHosts("").require_allowed("https://app.example/hooks?key=secret")
    assert "https://app.example," in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["app.example/hooks", "*", "user@app.example", "ftp://app.example"])
def test_a_list_has_hosts_only(text: str) -> None:
    with pytest.raises(ValueError, match="must be host or host:port"):
        NotifyHosts(text)
