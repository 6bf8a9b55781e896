"""What may be chosen about the progress server."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from rpc.settings import ServerSettings


class ProgressSettings(ServerSettings):
    """Settings with the prefix PROGRESS_."""

    model_config = SettingsConfigDict(env_prefix="PROGRESS_")

    listen: str = Field(
        default="127.0.0.1:50051",
        description="host:port to serve on; port 0 takes a free one. Default: this machine only, since"
        " whoever reaches it is let in unless tokens are set up.",
    )
    reuse_port: bool = Field(
        default=False,
        description="Let several processes listen on the port. Default: off, so that a second server on a"
        " port fails instead of silently taking half of the calls.",
    )
    reflection: bool = Field(
        default=False,
        description="Let tools such as grpcurl list the services of this port; the admin port always lists"
        " its own. Default: off, as in production.",
    )
    drain_seconds: float = Field(
        default=20,
        ge=0,
        le=3_600,
        description="Seconds that calls under way may take after SIGTERM. Default 20: with 5 s of"
        " Kubernetes' preStop it stays below its 30 s of grace.",
    )
    connection_age_seconds_max: int = Field(
        default=600,
        ge=10,
        description="Seconds after which a connection is asked to end, so that clients find new replicas;"
        " watches resume by revision. Default 600: ten minutes after a rollout load is even again.",
    )
    backlog_results_max: int = Field(
        default=100_000,
        ge=10_000,
        description="Results that may wait to be recorded; more are answered RESOURCE_EXHAUSTED. Default"
        " 100,000: some 50 MB, and as much as a database records before usual deadlines of 10 s end.",
    )
    watches_max: int = Field(
        default=20_000,
        ge=1,
        description="Watches this server holds; more are answered RESOURCE_EXHAUSTED. Default 20,000: with"
        " all of one busy batch's more would be sent less than once a second.",
    )
    caller_results_in_flight_max: int | None = Field(
        default=None,
        ge=1,
        description="Unrecorded results that each caller may have; more are answered RESOURCE_EXHAUSTED. The"
        " file of tokens may say otherwise. Default: no limit but BACKLOG_RESULTS_MAX, which all share.",
    )
    caller_watches_max: int | None = Field(
        default=None,
        ge=1,
        description="Watches that each caller may hold; the file of tokens may say otherwise. Default: no"
        " limit but WATCHES_MAX, which all share.",
    )
    stuck_after: float = Field(
        default=300,
        ge=0,
        description="Seconds without a result after which the reconciler looks at a batch; only told in"
        " stall_reason. Default 300, as RECONCILER_STUCK_AFTER: set both alike.",
    )
