"""Pages of lists, and the tokens that lead from one to the next. Pure."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import grpc

from batchprogress._limits import PAGE_SIZE_MAX
from batchprogress.errors import FieldViolation
from batchprogress.testing._refusals import Refused

PAGE_SIZE_DEFAULT = 50
"""The contract's, of a request for pages of 0."""

Item = TypeVar("Item")
Key = TypeVar("Key", int, str)


def page_of(  # noqa: PLR0913  # what identifies a page
    items: Sequence[Item],
    key_of: Callable[[Item], Key],
    *,
    of: Sequence[object],
    token: str,
    size: int,
    size_default: int = PAGE_SIZE_DEFAULT,
) -> tuple[list[Item], str]:
    """Return a page and the token of the next one, which is empty after the last page.

    Args:
        items: the whole list, in the ascending order of the keys.
        key_of: returns the key of an item.
        of: the call and its filters, to which the token belongs.
        token: the token in the request.
        size: the page size in the request.
        size_default: the page size of a request for 0.

    Raises:
        Refused: the token is of another call.

    """
    if token:
        after = _key_in(token, of, type(key_of(items[0])) if items else object)
        items = [item for item in items if key_of(item) > after]
    size = min(size or size_default, PAGE_SIZE_MAX)
    page = list(items[:size])
    return page, _token_of(key_of(page[-1]), of) if len(items) > size else ""


def _token_of(key: object, of: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, *of]).encode()).decode()


def _key_in(token: str, of: Sequence[object], kind: type) -> Any:
    """Return the key in a token.

    Raises:
        Refused: it is no token of this call.

    """
    try:
        key, *token_of = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        key, token_of = None, []
    if token_of != json.loads(json.dumps(of)) or not isinstance(key, kind):
        violations = [FieldViolation("page_token", "is not a token of this call with these filters")]
        text = "invalid: page_token"
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", text, violations)
    return key
