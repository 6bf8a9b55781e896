"""The settings of the gateway, each from the environment variable GATEWAY_<NAME>."""

import re
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from process.addresses import is_loopback, split_address
from process.readable_file import ReadableFile
from process.secret_files import read_token
from services.gateway.upstream_settings import UpstreamSettings
from services.gateway.web.host_check import ANY_HOST, host_name
from services.gateway.web.origin_check import ANY_ORIGIN

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""No website can have these names."""


class GatewaySettings(UpstreamSettings):
    """Settings with the prefix GATEWAY_."""

    prefix: ClassVar[str] = "GATEWAY_"

    listen: str = Field(
        default="127.0.0.1:8080",
        description="host:port to serve HTTP on; port 0 picks a free port. Default: this machine only.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names, separated by commas, under which clients reach the gateway, without ports; *"
        " allows every name. Other names are answered 421, since a website could point its own name at"
        " this address to read batches. The host of GATEWAY_LISTEN, localhost, 127.0.0.1 and ::1 are"
        " always allowed. Default: no others.",
    )
    cors_origins: str = Field(
        default="",
        description="Origins of other websites, separated by commas, whose pages may call the gateway, such"
        " as https://app.example; * allows every website, which with GATEWAY_ANONYMOUS_READS can then read"
        " all batches. Browsers ask again after two hours. Default: none.",
    )
    token_file: ReadableFile | None = Field(
        default=None,
        description="A file with the bearer token of a reader, for the watches behind /v1/batch/events and"
        " /v1/batches/events, and the reads of callers without a token. It is read again for each call, so"
        " that replacing it needs no restart. Default: none.",
    )
    anonymous_reads: bool | None = Field(
        default=None,
        description="Whether callers without a token read with the token of GATEWAY_TOKEN_FILE; they never"
        " write with it. Default: true if GATEWAY_LISTEN is a loopback address, otherwise false.",
    )
    read_only: bool = Field(
        default=False,
        description="Serve only the methods that read, events and the page. Default: off, since the server"
        " decides by the caller's token what it may do.",
    )
    job_url: str = Field(
        default="",
        description="The address of a job on the queue's own page, to which the page links from a failed job,"
        " such as https://flower.example.com/task/{job_id}; {batch_id} is replaced, too, both"
        " percent-encoded. Default: no link.",
    )
    page_changes: bool = Field(
        default=False,
        description="Let operators cancel and seal batches on the page, with a token that they log in with or"
        " that a proxy sends. The server decides by that token; without one, the page only reads. Default:"
        " off.",
    )
    call_seconds_max: float = Field(
        default=30,
        gt=0,
        le=3_600,
        description="Seconds that a call may take, except streams; a caller may ask for less with"
        " Connect-Timeout-Ms. Default 30: the server answers in milliseconds, or refuses within some"
        " seconds.",
    )
    request_seconds_max: float = Field(
        default=30,
        gt=0,
        le=3_600,
        description="Seconds that a request may take from its first byte to its last. Default 30: 4 MiB at 1"
        " Mbit/s.",
    )
    streams_max: int = Field(
        default=2_000,
        ge=1,
        description="Maximum number of WatchBatch streams at a time; others are answered RESOURCE_EXHAUSTED."
        " There are 2,000 further connections for calls. Default 2,000: each is a watch of the progress"
        " server, which allows 20,000.",
    )
    viewers_max: int = Field(
        default=10_000,
        ge=1,
        description="Maximum number of viewers of /v1/batch/events and /v1/batches/events at a time; others"
        " are answered 429. Default 10,000: about 210 MiB.",
    )
    batch_viewers_max: int = Field(
        default=5_000,
        ge=1,
        description="Maximum number of those viewers that view the same batch, or the same selection of"
        " batches. Default 5,000: half of them.",
    )
    watches_max: int = Field(
        default=500,
        ge=1,
        description="Maximum number of batches with viewers at a time, each watched by one stream of the"
        " progress server that all its viewers share. Default 500: a fortieth of the watches that one server"
        " allows.",
    )
    selections_max: int = Field(
        default=50,
        ge=1,
        description="Maximum number of selections of batches with viewers at a time, each watched by one"
        " stream of the progress server that all its viewers share. Default 50: up to 4 MB each, if 1,000 of"
        " its batches are under way and 1,000 have ended.",
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=3_600,
        description="Seconds that running calls may take after SIGTERM; streams end at once, and clients"
        " resume them by revision. Default 20: with 5 s of Kubernetes' preStop it stays below the grace"
        " period of 30 s.",
    )

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which requests are answered, in lower case."""
        listed = (name.strip().lower() for name in self.allowed_hosts.split(","))
        return LOCAL_HOSTS | {split_address(self.listen)[0]} | {name for name in listed if name}

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of other websites whose pages may call the gateway."""
        return tuple(filter(None, (one.strip().lower() for one in self.cors_origins.split(","))))

    @property
    def reads_anonymously(self) -> bool:
        """Whether callers without a token read with the gateway's own."""
        return is_loopback(self.listen) if self.anonymous_reads is None else self.anonymous_reads

    @model_validator(mode="after")
    def _has_changes_of_its_own_page_alone(self) -> Self:
        if self.page_changes and self.read_only:
            raise ValueError("GATEWAY_PAGE_CHANGES needs the methods that GATEWAY_READ_ONLY leaves out")
        if self.page_changes and ANY_ORIGIN in self.origins:
            raise ValueError(
                "GATEWAY_CORS_ORIGINS must name its origins with GATEWAY_PAGE_CHANGES: * lets every website"
                " change batches for people whose proxy sends a token"
            )
        return self

    @field_validator("cors_origins")
    @classmethod
    def _has_origins(cls, value: str) -> str:
        for origin in filter(None, map(str.strip, value.split(","))):
            parts = urlsplit(origin)
            if origin != ANY_ORIGIN and (
                parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"has {origin!r}, which is not an origin such as https://app.example")
        return value

    @field_validator("job_url")
    @classmethod
    def _is_template(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(
                "must be an http or https address such as https://flower.example.com/task/{job_id}"
            )
        names = re.findall(r"\{(.*?)\}|[{}]", value)
        if "job_id" not in names or not set(names) <= {"job_id", "batch_id"} or "{" in parts.netloc:
            raise ValueError("must have {job_id} after its host, and besides only {batch_id} in braces")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _has_names(cls, value: str) -> str:
        for name in filter(None, map(str.strip, value.split(","))):
            if name != ANY_HOST and host_name(name) != name.lower().strip("[]"):
                raise ValueError(f"has {name!r}, which is not a host name without scheme, port and path")
        return value

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        host, _ = split_address(value)
        if not host:  # would be every address of the machine
            raise ValueError("must be host:port")
        return value

    @field_validator("token_file")
    @classmethod
    def _has_a_token(cls, value: ReadableFile | None) -> ReadableFile | None:
        if value is not None:
            read_token(value)
        return value
