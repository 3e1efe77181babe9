"""The topics: partition counts, clean-up and retention, in one place.

Partition counts are part of the contract: the deals topic's is kept in the database as well, and a
worker refuses to start on a mismatch.
"""

from typing import Final, NamedTuple

DAY_MS: Final = 86_400_000
DEFAULT_PREFIX: Final = "paceboard"


class Topic(NamedTuple):
    """A topic as `paceboard topics create` makes it and `paceboard topics check` expects it."""

    name: str  # without the installation's prefix
    partitions: int
    cleanup: str  # "delete" or "compact"
    retention_ms: int  # -1: for ever
    purpose: str

    def full_name(self, prefix: str = DEFAULT_PREFIX) -> str:
        """The name on the broker."""
        return f"{prefix}.{self.name}"


TOPICS: Final[tuple[Topic, ...]] = (
    Topic("deals", 12, "delete", 30 * DAY_MS, "Deals as their sources have them, and commands."),
    Topic("credits", 12, "delete", 30 * DAY_MS, "Who was counted for what."),
    Topic("accruals", 12, "delete", 30 * DAY_MS, "Entries of earned money."),
    Topic("progress", 12, "compact", -1, "The newest state of each account."),
    Topic("standings", 3, "delete", 7 * DAY_MS, "Rows of boards that changed."),
    Topic("alerts", 3, "delete", 30 * DAY_MS, "Alerts raised, updated, cleared."),
    Topic("reference", 3, "compact", -1, "Plans, quotas, assignments, locks."),
    Topic("dead-letters", 3, "delete", 90 * DAY_MS, "Records that were refused, and why."),
    Topic("batches", 1, "delete", 30 * DAY_MS, "One mark per batch, written last."),
)
BY_NAME: Final[dict[str, Topic]] = {topic.name: topic for topic in TOPICS}
DEALS: Final = BY_NAME["deals"]
