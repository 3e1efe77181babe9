"""Each topic has a page that says what a subscriber needs, and says it as the code has it."""

from pathlib import Path

import pytest

from schemas.messages import BINDINGS
from schemas.topics import DAY_MS, TOPICS, Topic

PAGES = Path(__file__).resolve().parents[2] / "docs" / "topics"
SECTIONS = (
    "## Ordering",
    "## De-duplicate",
    "## What a correction looks like",
    "## Begin: snapshot, then tail",
    "## From real traffic",
)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topics_page_is_whole_and_true(topic: Topic) -> None:
    """Partitions, retention, keys and schemas as declared; every section; an example at least."""
    text = (PAGES / f"{topic.name}.md").read_text()
    assert f"| partitions | {topic.partitions} |" in text
    kept = f"{topic.retention_ms // DAY_MS} days" if topic.cleanup == "delete" else "newest"
    assert f"| kept | {kept}" in text
    of_topic = [binding for binding in BINDINGS.values() if binding.topic == topic.name]
    assert of_topic
    for binding in of_topic:
        assert binding.key_is in text
        assert f"`{binding.type}`: [schema]" in text
    for section in SECTIONS:
        assert section in text, section
    assert text.count("Example, `") >= 1


def test_no_page_is_of_a_topic_that_there_is_not() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {topic.name for topic in TOPICS}
