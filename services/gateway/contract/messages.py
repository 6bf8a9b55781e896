"""Requests and responses between HTTP and gRPC.

Binary messages pass through as they are. JSON is converted by google.protobuf: ProtoJSON, with every field
that has no presence, so that 0 and false can be read, too.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from connectrpc.codec import Codec
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import DecodeError, Message

from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from services.gateway.contract.answers import malformed, too_large
from services.gateway.contract.flat_json import flat_json

BINARY = "proto"
JSON = "json"
AT_ONCE_BYTES_MAX = 16 * 1024
"""Larger messages are converted in a thread: 4 MiB of JSON take half a second, in which nobody else would
be answered. The thread takes turns with the event loop every 5 ms."""
TOLD_CHARACTERS_MAX = 300
"""How much of a parser's sentence is sent: it quotes what it could not read."""
OBJECT = re.compile(rb"\s*\{")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as it came."""

    codec: str
    data: bytes


class PassedOn(Codec[bytes, Encoded]):
    """A codec that leaves the conversion to Converter, which may do it in a thread.

    Args:
        name: the name of the codec in a content type.

    """

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        """Return the name of the codec."""
        return self._name

    def encode(self, message: bytes) -> bytes:
        """Return a response that is encoded already."""
        return message

    def decode(self, data: bytes | bytearray, message_class: type[Encoded]) -> Encoded:  # noqa: ARG002  # the interface
        """Keep a request."""
        if len(data) > MESSAGE_BYTES_MAX:
            raise too_large()
        return Encoded(self._name, bytes(data))


CODECS = (PassedOn(BINARY), PassedOn(JSON))


class Converter:
    """Converts requests to bytes of protobuf and responses back; one large message at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large messages")

    async def to_request(self, sent: Encoded, kind: type[Message]) -> bytes:
        """Return a request in protobuf's binary format.

        Args:
            sent: the request.
            kind: the class of its message.

        Raises:
            Answer: it is JSON, but not of such a message.

        """
        if sent.codec == BINARY:
            return sent.data
        return await self._convert(_from_json, sent.data, kind)

    async def to_response(self, data: bytes, kind: type[Message], codec: str) -> bytes:
        """Return a response in the format of its request.

        Args:
            data: the response of the server.
            kind: the class of its message.
            codec: the codec of the request.

        """
        if codec == BINARY:
            return data
        return await self._convert(_to_json, data, kind)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _convert(self, convert: Any, data: bytes, kind: type[Message]) -> bytes:
        if len(data) <= AT_ONCE_BYTES_MAX:
            converted: bytes = convert(data, kind)
            return converted
        return await asyncio.get_running_loop().run_in_executor(self._thread, convert, data, kind)


def _from_json(data: bytes, kind: type[Message]) -> bytes:
    flat = flat_json(kind)
    if flat is not None and (usual := flat.read(data)) is not None:
        return usual.SerializeToString()
    message = kind()
    if OBJECT.match(data) is None:  # the parser would take [] and "" for an empty message
        raise malformed(f"not JSON of {kind.DESCRIPTOR.full_name}: not an object")
    try:
        # Unknown fields are ignored, as in the binary format: a newer client may send some.
        Parse(data, message, ignore_unknown_fields=True)
    except ParseError as error:
        raise malformed(f"not JSON of {kind.DESCRIPTOR.full_name}: {short(str(error))}") from None
    except (ValueError, RecursionError, TypeError):
        raise malformed(f"not JSON of {kind.DESCRIPTOR.full_name}") from None
    return message.SerializeToString()


def _to_json(data: bytes, kind: type[Message]) -> bytes:
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise ValueError("the server's response is not a message of its method") from None
    if (flat := flat_json(kind)) is not None:
        return flat.write(message)
    return MessageToJson(message, indent=None, always_print_fields_with_no_presence=True).encode()


def short(text: str) -> str:
    """Return the beginning of a sentence that quotes what a client has sent."""
    return text if len(text) <= TOLD_CHARACTERS_MAX else f"{text[:TOLD_CHARACTERS_MAX]} …"
