"""What of a caller's headers the server gets."""

from connectrpc.request import Headers

from services.gateway.contract.caller import Callers

OWN = ("authorization", "Bearer own")


def test_a_read_without_a_token_gets_the_gateways_own() -> None:
    assert Callers(lambda: "own").metadata(Headers(), is_read=True) == (OWN,)


def test_a_write_never_gets_the_gateways_own_token() -> None:
    assert Callers(lambda: "own").metadata(Headers(), is_read=False) == ()


def test_the_token_of_a_caller_is_the_only_one() -> None:
    """The server must not choose between two."""
    for token in ("", "Bearer theirs"):
        metadata = Callers(lambda: "own").metadata(Headers({"Authorization": token}), is_read=True)
        assert metadata == (("authorization", token),)


def test_only_the_token_and_the_request_id_are_passed_on() -> None:
    headers = Headers({"X-Request-Id": "1", "Cookie": "a", "X-Forwarded-For": "10.0.0.1"})
    assert Callers(None).metadata(headers, is_read=True) == (("x-request-id", "1"),)
