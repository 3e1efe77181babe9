"""The AsyncAPI document keeps the rules of the 3.0.0 specification that a reader relies on."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import yaml

from schemas import topics
from schemas.generate import FOLDER
from schemas.messages import BINDINGS

TEXT = (FOLDER / "asyncapi.yaml").read_text()
DOCUMENT = yaml.safe_load(TEXT)
ROOT_FIELDS = {
    *("asyncapi", "id", "info", "servers", "defaultContentType"),
    *("channels", "operations", "components"),
}
CHANNEL_FIELDS = {
    *("address", "title", "summary", "description", "servers", "parameters"),
    *("messages", "bindings", "tags", "externalDocs"),
}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for item in node.values():
            yield from references(item)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def resolve(reference: str) -> Any:
    assert reference.startswith("#/"), reference
    node = DOCUMENT
    for part in reference[2:].split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def test_root() -> None:
    """Version, the required `info`, and no field the specification does not know."""
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT) <= ROOT_FIELDS
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]
    assert "&id" not in TEXT, "aliases trip up readers"


def test_every_reference_resolves() -> None:
    """None points to nothing, none leaves the document."""
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        assert resolve(reference) is not None


def test_component_names() -> None:
    """Keys of components are limited to these characters."""
    for kind in DOCUMENT["components"].values():
        assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in kind)


def test_channels() -> None:
    """Servers are declared ones, each parameter of an address is defined and used."""
    for name, channel in DOCUMENT["channels"].items():
        assert set(channel) <= CHANNEL_FIELDS, name
        for server in channel["servers"]:
            assert server["$ref"].startswith("#/servers/")
        in_address = set(re.findall(r"{([^}]+)}", channel["address"]))
        assert in_address == set(channel.get("parameters", {})), name
        for message in channel["messages"].values():
            assert message["$ref"].startswith("#/components/messages/")


def test_operations() -> None:
    """Each has an action and a channel; its messages are a subset of that channel's."""
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] in ("send", "receive"), name
        channel = operation["channel"]["$ref"]
        assert re.fullmatch(r"#/channels/[A-Za-z]+", channel)
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/"), name


def test_every_topic_is_a_channel() -> None:
    """With its partitions, clean-up, retention, key and messages."""
    by_title = {channel["title"]: channel for channel in DOCUMENT["channels"].values()}
    for topic in topics.TOPICS:
        channel = by_title[topic.full_name()]
        kafka = channel["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]
        assert kafka["topicConfiguration"]["retention.ms"] == topic.retention_ms
        expected = {b.struct.__name__ for b in BINDINGS.values() if b.topic == topic.name}
        assert set(channel["messages"]) == expected


def test_examples_satisfy_their_payload() -> None:
    """An example in the document validates against the schema it stands beside."""
    for name, message in DOCUMENT["components"]["messages"].items():
        schema = {**message["payload"], "components": DOCUMENT["components"]}
        for example in message.get("examples", []):
            jsonschema.Draft202012Validator(schema).validate(example["payload"])
        if "headers" in message:
            assert message["headers"]["properties"]["ce_type"]["const"] == message["name"], name


def test_frames_of_the_live_socket() -> None:
    """Both directions of the one WebSocket, each frame known by its `type`."""
    live = DOCUMENT["channels"]["live"]
    assert live["address"] == "/v1/live"
    directions = [
        operation["action"]
        for operation in DOCUMENT["operations"].values()
        if operation["channel"]["$ref"] == "#/channels/live"
    ]
    assert sorted(directions) == ["receive", "send"]
    for name in live["messages"]:
        schema = DOCUMENT["components"]["schemas"][name]
        assert schema["properties"]["type"]["enum"]
