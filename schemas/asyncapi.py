"""The AsyncAPI 3.0 document: topics and the live socket, from the same declarations as the code."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from schemas import limits, topics
from schemas.examples import EXAMPLES
from schemas.json_schema import components
from schemas.live import CLOSE_REASONS, ClientFrame, ServerFrame
from schemas.messages import BINDINGS, Binding, Drain, Reaccrue, RecreditDeal

Document = dict[str, Any]
VERSION: Final = "1.0.0"
_REF: Final = "#/components/schemas/{name}"
_COMMANDS: Final = (RecreditDeal, Reaccrue, Drain)

_HEADERS: Final[Document] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "description": "Unique per source; the tracking id of a deal."},
    "ce_source": {"type": "string", "description": "Who says so, as a URI reference."},
    "ce_type": {"type": "string"},
    "ce_time": {"type": "string", "format": "date-time", "description": "Of production."},
    "content-type": {"type": "string", "const": "application/json"},
    "traceparent": {"type": "string", "description": "W3C trace context."},
    "paceboard-replay": {
        "type": "string",
        "const": "true",
        "description": "Set by loaders of history: what follows from it has is_replay true.",
    },
}
_HEADERS_REQUIRED: Final = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time")


def asyncapi_yaml() -> str:
    """The document as YAML."""
    import yaml  # a tool of development: the product reads no YAML

    class Plain(yaml.SafeDumper):
        """Writes a repeated value out again: readers of AsyncAPI trip over YAML's aliases."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    return yaml.dump(document(), Dumper=Plain, sort_keys=False, allow_unicode=True, width=100)


def document() -> Document:
    """The document as plain values."""
    frames = [*_members(ClientFrame), *_members(ServerFrame)]
    structs = [binding.struct for binding in BINDINGS.values()]
    _, schemas = components([*structs, *frames], ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": _INFO,
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": {
            **{_channel_name(topic.name): _topic(topic) for topic in topics.TOPICS},
            "live": _live(frames),
        },
        "operations": _operations(),
        "components": {
            "messages": {
                **{binding.struct.__name__: _message(binding) for binding in BINDINGS.values()},
                **{frame.__name__: _frame(frame) for frame in frames},
            },
            "schemas": schemas,
        },
    }


_INFO: Final[Document] = {
    "title": "Paceboard",
    "version": VERSION,
    "description": (
        "Deals come in on one Kafka topic; credits, entries, progress, standings and alerts go "
        "out. Delivery is at least once: de-duplicate credits by credit_id and accruals by "
        "entry_id; of progress and standings the newest version wins. Amounts are strings. Only "
        "events of `reference` and facts behind a `batches` mark are complete by themselves."
    ),
    "license": {"name": "Apache-2.0"},
}
_SERVERS: Final[Document] = {
    "kafka": {
        "host": "localhost:9092",
        "protocol": "kafka",
        "description": "The installation's broker; clients partition by murmur2 of the key.",
    },
    "api": {
        "host": "localhost:8000",
        "protocol": "ws",
        "description": "The installation's API; the same port serves HTTP.",
    },
}


def _topic(topic: topics.Topic) -> Document:
    bindings = _bindings(topic.name)
    return {
        "address": "{prefix}." + topic.name,
        "title": topic.full_name(),
        "description": f"{topic.purpose} Key: {_keys(bindings)}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "parameters": {
            "prefix": {
                "default": topics.DEFAULT_PREFIX,
                "description": "The installation's prefix.",
            }
        },
        "messages": _references(binding.struct.__name__ for binding in bindings),
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [topic.cleanup],
                    "retention.ms": topic.retention_ms,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _live(frames: list[type]) -> Document:
    closes = "; ".join(f"{code.value}: {reason}" for code, reason in CLOSE_REASONS.items())
    return {
        "address": "/v1/live",
        "title": "The live socket",
        "description": (
            "One connection a screen. Browsers authenticate by their cookie, machines by "
            f"`authenticate` within {limits.LIVE_AUTHENTICATE_SECONDS} s. `watch` channels "
            '"board:<board_id>" and "payee:<payee_id>"; each answers with a snapshot that has a '
            "version, then newer versions only. A heartbeat comes every "
            f"{limits.LIVE_HEARTBEAT_SECONDS} s. Close codes: {closes}"
        ),
        "servers": [{"$ref": "#/servers/api"}],
        "messages": _references(frame.__name__ for frame in frames),
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _operations() -> Document:
    """From Paceboard's own side: it receives deals and sends facts."""
    outward = [topic for topic in topics.TOPICS if topic != topics.DEALS]
    deals = [binding.struct.__name__ for binding in _bindings("deals")]
    return {
        "receiveDeals": _operation(
            "receive", "deals", deals, "Deals, commands and completeness stamps are worked on."
        ),
        "sendCommands": _operation(
            "send",
            "deals",
            [struct.__name__ for struct in _COMMANDS],
            "Commands follow changes of reference data; nobody else sends them.",
        ),
        **{
            f"send{_camel(topic.name)}": _operation(
                "send",
                _channel_name(topic.name),
                [binding.struct.__name__ for binding in _bindings(topic.name)],
                topic.purpose,
            )
            for topic in outward
        },
        "receiveFrames": _operation(
            "receive", "live", [f.__name__ for f in _members(ClientFrame)], "What a client sends."
        ),
        "sendFrames": _operation(
            "send", "live", [f.__name__ for f in _members(ServerFrame)], "What the server sends."
        ),
    }


def _operation(action: str, channel: str, messages: list[str], summary: str) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _message(binding: Binding) -> Document:
    headers = {**_HEADERS, "ce_type": {"type": "string", "const": binding.type}}
    return {
        "name": binding.type,
        "title": binding.struct.__name__,
        "summary": _first_line(binding.struct),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": headers,
            "required": list(_HEADERS_REQUIRED),
        },
        "payload": {"$ref": _REF.format(name=binding.struct.__name__)},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": binding.key_is},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"name": "example", "payload": msgspec.to_builtins(EXAMPLES[binding.struct])}],
    }


def _frame(frame: type) -> Document:
    return {
        "name": _tag(frame),
        "title": frame.__name__,
        "summary": _first_line(frame),
        "contentType": "application/json",
        "payload": {"$ref": _REF.format(name=frame.__name__)},
    }


def _bindings(topic: str) -> list[Binding]:
    return [binding for binding in BINDINGS.values() if binding.topic == topic]


def _keys(bindings: list[Binding]) -> str:
    """One word where all messages have the same key, else which has which."""
    kinds = {binding.key_is for binding in bindings}
    if len(kinds) == 1:
        return kinds.pop()
    return "; ".join(f"{binding.key_is} ({binding.struct.__name__})" for binding in bindings)


def _references(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _members(union: Any) -> list[type]:
    return list(union.__args__)


def _tag(frame: type) -> str:
    info = msgspec.inspect.type_info(frame)
    assert isinstance(info, msgspec.inspect.StructType)
    return str(info.tag)


def _first_line(struct: type) -> str:
    return (struct.__doc__ or "").strip().splitlines()[0]


def _channel_name(topic: str) -> str:
    first, *rest = topic.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _camel(topic: str) -> str:
    return "".join(word.capitalize() for word in topic.split("-"))
