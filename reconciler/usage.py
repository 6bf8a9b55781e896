"""What `python -m reconciler --help` says."""

from reconciler.settings import ReconcilerSettings

HELP = """\
Repair the batches that no worker will end, by what the queue knows of them; one pass, then exit.

Without an option it looks at the batches that are stuck: without a result for RECONCILER_STUCK_AFTER
seconds. The results that were never reported are taken from the queue, and a batch ends once all its jobs
in the queue have ended. What workers reported always stays. Afterwards batches that ended more than
RECONCILER_RETENTION seconds ago are deleted, except with --batch-id or --dry-run.

Two passes never run at the same time: the second one says so and exits 0 (for a minute also after a pass
that was killed). A dry run may run beside a pass.

The batches are in BATCHES_DATABASE_URL. The last line of standard output is the summary as JSON. With --json
every line is: an object for each batch as soon as it was looked at (batch_id, repaired, before and after with
the names of the contract, reasons, results_recorded, results_counted, left with its left_reason, is_error),
then the summary, the only one without a batch_id. All else goes to standard error.

\b
Exit codes:
 0  clean, or another pass runs
 1  some batches failed, there is no batch ID, or the pass was cut short: by its
    time, a signal, or a queue or database that is away; try again
 2  wrong arguments
78  bad configuration, or a database of another version
"""


def settings_text() -> str:
    """Return every setting with its default, its unit and its reason, each as a paragraph."""
    prefix = ReconcilerSettings.model_config["env_prefix"]
    return "\n\n".join(
        f"{prefix}{name.upper()} (default {_plain(field.default)}): {field.description}"
        for name, field in ReconcilerSettings.model_fields.items()
    )


def _plain(default: object) -> str:
    """Return a number as one would type it."""
    return f"{default:.0f}" if isinstance(default, float) else f"{default}"
