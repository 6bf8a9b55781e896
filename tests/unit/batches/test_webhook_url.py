"""URLs of webhooks."""

import pytest

from batches.webhook_url import Origin, origin_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://App.example/hooks?key=1", Origin("https", "app.example")),
        ("https://app.example:443", Origin("https", "app.example")),
        ("https://app.example:8443/", Origin("https", "app.example:8443")),
        ("http://127.0.0.1:8000/x", Origin("http", "127.0.0.1:8000")),
        ("https://[2001:DB8::1]:1/x", Origin("https", "[2001:db8::1]:1")),
        ("https://app.example?a@b", Origin("https", "app.example")),
    ],
)
def test_a_url_leads_to_its_host(url: str, origin: Origin) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example",
        "ftp://app.example",
        "https://",
        "https://user@app.example/",
        "https://user:password@app.example/",
        "https://app.example@evil.example/",
        "https://app.example\\@evil.example/",
        "https://app.example/\\evil",
        "https://app.example#@evil.example/",
        "https://app.example/#x",
        "https://app.example:0/",
        "https://app.example:65536/",
        "https://app.example:/",
        "https://app example/",
        "https://app.example/\n",
        "https://bücher.example/",
        "https://app.example/ü",
        "https://" + "a" * 300 + "/",
        "https://app.example/" + "a" * 2_000,
        "https://[::1%25eth0]/",
    ],
)
def test_a_url_in_any_other_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has)"):
        origin_of(url)
