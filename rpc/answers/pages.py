"""Pages of a list that fit into one message."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from rpc.answers.request_checks import MESSAGE_BYTES_MAX

Item = TypeVar("Item")
Key = TypeVar("Key", int, str)
Response = TypeVar("Response", bound=Message)


def page_that_fits(
    items: Sequence[Item],
    next_key: Key | None,
    key_of: Callable[[Item], Key],
    to_response: Callable[[Sequence[Item], Key | None], Response],
) -> Response:
    """Halve a page until a client with gRPC's default limit can read it; a single item always fits.

    Args:
        items: the items of the page, at least one if `next_key` is set.
        next_key: the key after which the next page begins; None on the last page.
        key_of: returns the key of an item.
        to_response: makes the response from items and the key after which the next page begins.

    Returns:
        The response, of at most MESSAGE_BYTES_MAX bytes.

    """
    response = to_response(items, next_key)
    while response.ByteSize() > MESSAGE_BYTES_MAX and len(items) > 1:
        items = items[: len(items) // 2]
        response = to_response(items, key_of(items[-1]))
    return response
