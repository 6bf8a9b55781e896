"""TLS to a database server, by the ssl_… parameters of its URL."""

import ssl

from sqlalchemy import URL

MODES = ("DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
"""As in MySQL's own clients. PREFERRED is missing: whoever stands between could switch TLS off."""
AUTHORITIES = {"ssl_ca", "ssl_capath"}
_MODE_NAMES = ("ssl_mode", "ssl-mode")


def tls_of(url: URL) -> ssl.SSLContext | None:
    """Return how to encrypt connections, as the URL says; None for plaintext.

    Without a mode, ssl_ca or ssl_capath means VERIFY_IDENTITY, or VERIFY_CA with ssl_check_hostname=false;
    another parameter means REQUIRED, which verifies the certificate only against ssl_ca or ssl_capath.

    Args:
        url: of a database server.

    Raises:
        ValueError: the parameters contradict each other, or name a file that cannot be used.

    """
    options = {name: _text_of(url, name) for name in url.query if name.startswith("ssl")}
    if not options:
        return None
    mode = _mode_of(options)
    if mode == "DISABLED":
        return None
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca"), capath=options.get("ssl_capath"))
        if "ssl_cert" in options:
            context.load_cert_chain(options["ssl_cert"], options.get("ssl_key"))
        if "ssl_cipher" in options:
            context.set_ciphers(options["ssl_cipher"])
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(
            f"has an ssl_ parameter that cannot be used ({error.strerror or error}): check the files that"
            " ssl_ca, ssl_cert and ssl_key name"
        ) from error
    context.check_hostname = mode == "VERIFY_IDENTITY"
    if mode == "REQUIRED" and not options.keys() & AUTHORITIES:
        context.verify_mode = ssl.CERT_NONE
    return context


def without_tls(url: URL) -> URL:
    """Return a URL without the parameters of TLS, which the driver would read in its own way."""
    return url.difference_update_query([name for name in url.query if name.startswith("ssl")])


def _mode_of(options: dict[str, str]) -> str:
    """Return the mode that the parameters ask for."""
    named = [options[name].upper() for name in _MODE_NAMES if name in options]
    if named and named[0] not in MODES:
        raise ValueError(f"must have one of {', '.join(MODES)} as ssl_mode")
    if named:
        return named[0]
    if not options.keys() & AUTHORITIES:
        return "REQUIRED"
    checks_name = options.get("ssl_check_hostname", "true").lower() not in {"false", "0", "no", "off"}
    return "VERIFY_IDENTITY" if checks_name else "VERIFY_CA"


def _text_of(url: URL, name: str) -> str:
    value = url.query[name]
    if not isinstance(value, str):
        raise ValueError(f"has the parameter {name} twice")  # noqa: TRY004  # a problem of the URL's text
    return value
