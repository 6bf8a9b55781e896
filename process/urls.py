"""Checks URLs that hold a password, without ever quoting them."""

ENCODE_SECRETS = (
    "has a character in its user name or password that must be encoded: @ as %40, / as %2F, : as %3A"
)


def require_encoded_at(text: str) -> None:
    """Refuse a database URL with an @ in its password: what follows it would count as the host's name.

    Args:
        text: a URL of SQLAlchemy with user, password and host.

    Raises:
        ValueError: the part between the first @ and the query has another one.

    """
    after_credentials = text.partition("@")[2].partition("?")[0]
    if "@" in after_credentials:
        raise ValueError(ENCODE_SECRETS)


def require_credentials_before_host(text: str) -> None:
    """Refuse a URL with a / in its password: what stands before it would count as host and port.

    Args:
        text: a URL whose path and query contain no @.

    Raises:
        ValueError: there is an @ after the host, and none before it.

    """
    authority = text.partition("://")[2].partition("/")[0]
    if "@" in text and "@" not in authority:
        raise ValueError(ENCODE_SECRETS)
