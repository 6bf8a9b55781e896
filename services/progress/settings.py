"""The settings of the progress server."""

from typing import ClassVar

from pydantic import Field, field_validator

from process.readable_file import ReadableFile
from process.usable_cores import usable_cores
from rpc.settings import ServerSettings
from services.progress.notify_hosts import NotifyHosts

PROCESSES_MAX = 256
"""The cores of a large machine; beyond it a number is a mistake, such as that of a port."""


class ProgressSettings(ServerSettings):
    """Settings with the prefix PROGRESS_."""

    prefix: ClassVar[str] = "PROGRESS_"

    listen: str = Field(
        default="127.0.0.1:50051",
        description="host:port to serve on; port 0 picks a free one. Default: only this machine, since"
        " without tokens anyone who can reach the server has full access.",
    )
    reuse_port: bool = Field(
        default=False,
        description="Let several processes listen on the port. Default: off, so that a second server on a"
        " port fails instead of silently taking half of the calls.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=PROCESSES_MAX,
        description="Number of processes that serve the port together (on Linux), with one log, one page"
        " of metrics and one health; auto is the number of whole cores that this program may use. Limits"
        " and pools of connections are those of each process, as with several servers. Default 1: on"
        " Kubernetes, more pods do the same and survive the loss of a node.",
    )
    backlog_results_max: int = Field(
        default=100_000,
        ge=10_000,
        description="Maximum number of results that wait to be recorded; further reports are answered"
        " RESOURCE_EXHAUSTED. Their requests may have 336 bytes for each result of this number. One caller"
        " may use half of both. Default 100,000: about 50 MB, at most 200 MB with long errors, and what a"
        " database records within the usual deadline of 10 s.",
    )
    watches_max: int = Field(
        default=20_000,
        ge=1,
        description="Maximum number of open watches on this server; further watches are answered"
        " RESOURCE_EXHAUSTED. Default 20,000: if all of them watched one busy batch, each would get less"
        " than one state per second.",
    )
    caller_results_in_flight_max: int | None = Field(
        default=None,
        ge=1,
        description="Maximum number of unrecorded results of each caller; further reports are answered"
        " RESOURCE_EXHAUSTED. The file of tokens may set another limit for a token. Default: only"
        " BACKLOG_RESULTS_MAX, which all callers share.",
    )
    caller_watches_max: int | None = Field(
        default=None,
        ge=1,
        description="Maximum number of open watches of each caller; the file of tokens may set another limit"
        " for a token. Default: only WATCHES_MAX, which all callers share.",
    )
    caller_reads_max: int = Field(
        default=32,
        ge=1,
        description="Maximum number of reads (Get… and List…) in progress of each caller; further ones"
        " are answered RESOURCE_EXHAUSTED. The file of tokens may set another limit for a token. At most half"
        " of BATCHES_DATABASE_CONNECTIONS are used for the reads of one caller. Default 32: with the default"
        " of 8 connections, each of them waits for at most seven others.",
    )
    watch_token_key_file: ReadableFile | None = Field(
        default=None,
        description="File with one or two keys, one a line, of at least 32 characters (openssl rand -base64"
        " 32), reloaded when it changes. The first signs watch tokens, and both are accepted. It must not be"
        " open to every user of the machine. Default: watch tokens are neither created nor accepted.",
    )
    notify_hosts: str = Field(
        default="",
        description="Hosts, separated by commas, that the notify_url of a new batch may name, such as"
        " app.example, hooks.example:8443; http://app.internal also allows http. The notifier needs a secret"
        " for each: [[notify_host]] of NOTIFIER_SUBSCRIPTIONS_FILE. Default: none; every notify_url is"
        " refused.",
    )
    stuck_after: float = Field(
        default=300,
        ge=0,
        description="Seconds without a result after which the reconciler checks a batch; this server only"
        " uses it for stall_reason and metrics. Default 300, the default of RECONCILER_STUCK_AFTER: keep"
        " them equal.",
    )
    reconciler_period: float = Field(
        default=300,
        gt=0,
        description="Seconds between two passes of the reconciler. If none has run for two periods,"
        " stall_reason says so, and an alert fires. Default 300: the schedule of the CronJob and of the"
        " systemd timer.",
    )

    @field_validator("processes", mode="before")
    @classmethod
    def _count_cores(cls, value: object) -> object:
        return usable_cores() if value == "auto" else value

    @field_validator("notify_hosts")
    @classmethod
    def _are_hosts(cls, text: str) -> str:
        NotifyHosts(text)
        return text
