"""Reads the message of a request from the query of a URL."""

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from services.gateway.contract.answers import malformed
from services.gateway.contract.messages import short

PARAMETERS_MAX = 100
"""A request has up to 32 labels and some further fields."""
PARAMETER = re.compile(r"(?P<name>\w+)(?:\[(?P<key>.*)\])?", re.DOTALL)
"""`page_size` or, of a map, `labels[team]`: OpenAPI's style deepObject."""
Request = TypeVar("Request", bound=Message)
BOOLEANS = {"true": True, "false": False}


def to_request(query: bytes, kind: type[Request]) -> Request:
    """Return the request in a query. Parameters that are no field are ignored, as in the body of a call.

    Args:
        query: the part of the URL after the question mark, as it came.
        kind: the class of the request. A field has its name in the proto: `page_size`.

    Raises:
        Answer: the query cannot be read, or a value is not one of its field.

    """
    values: dict[str, Any] = {}
    for name, value in parameters(query):
        found = PARAMETER.fullmatch(name)
        field = kind.DESCRIPTOR.fields_by_name.get(found["name"]) if found else None
        if found and field:
            _put(values, field, found["key"], value)
    try:
        return ParseDict(values, kind())
    except ParseError as error:
        raise malformed(f"invalid query: {short(str(error))}") from None
    except (ValueError, TypeError):
        raise malformed("invalid query") from None


def parameters(query: bytes) -> list[tuple[str, str]]:
    """Return the names and values in a query.

    Args:
        query: the part of the URL after the question mark, as it came.

    Raises:
        Answer: the query cannot be read.

    """
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except UnicodeDecodeError:
        raise malformed("the query is not percent-encoded UTF-8") from None
    except ValueError:
        raise malformed(f"the query has more than {PARAMETERS_MAX} parameters") from None


def _put(values: dict[str, Any], field: Any, key: str | None, value: str) -> None:
    name = field.name
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    if is_map != (key is not None):
        raise malformed(f"invalid query: {name} must be {f'{name}[key]' if is_map else name}=value")
    place, part = (values, name) if key is None else (values.setdefault(name, {}), key)
    if part in place:
        raise malformed(f"invalid query: {name} is given twice")
    place[part] = BOOLEANS.get(value, value) if field.type == field.TYPE_BOOL else value
