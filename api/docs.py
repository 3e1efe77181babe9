"""The documentation page: written here from the OpenAPI document, without a script and without
anything from elsewhere, so that it reads on a machine that has no network."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.answers import only
from api.openapi import Document
from api.problems import KINDS

router = APIRouter(include_in_schema=False)

_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
section { border-top: 1px solid #8884; padding: 0.5rem 0 1rem; }
h2 code { font-size: 1rem; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
pre { overflow-x: auto; padding: 0.75rem; background: #8881; border-radius: 6px; font-size: 13px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; }
nav li { margin: 0.1rem 0; }
"""


@router.get("/v1/openapi.json")
def openapi_json(request: Request) -> Response:
    """The OpenAPI document."""
    only(request)
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def docs(request: Request) -> Response:
    """The same, to read."""
    only(request)
    return HTMLResponse("".join(_page(request.app.openapi())))


@router.get("/docs/style.css")
def style() -> Response:
    """How it looks."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "no-cache"})


def _page(document: Document) -> Iterator[str]:
    operations = list(_operations(document))
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>Paceboard API</title><link rel="stylesheet" href="/docs/style.css"></head><body>'
        f"<h1>Paceboard API {escape(document['info']['version'])}</h1>"
        f"<p>{escape(document['info']['description'])}</p>"
        '<p>The same for machines: <a href="/v1/openapi.json">openapi.json</a>.</p><nav><ul>'
    )
    for method, path, operation in operations:
        yield (
            f'<li><a href="#{operation["operationId"]}"><code>{method} {escape(path)}</code></a> '
            f"{escape(operation['summary'])}</li>"
        )
    yield "</ul></nav><main>"
    for method, path, operation in operations:
        yield from _operation(method, path, operation)
    yield "<h2>Problems</h2>"
    for kind in KINDS:
        yield (
            f'<section id="problem-{kind.slug}"><h3>{escape(kind.title)} ({kind.status})</h3>'
            f"<p>{escape(kind.__doc__ or '')}</p>"
            f"<p><strong>What to do.</strong> {escape(kind.remedy)}</p></section>"
        )
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<section id="schema-{name}"><h3>{escape(name)}</h3>{_json(schema)}</section>'
    yield "</main></body></html>"


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def _operation(method: str, path: str, operation: Document) -> Iterator[str]:
    yield (
        f'<section id="{operation["operationId"]}"><h2><span class="method">{method}</span>'
        f"<code>{escape(path)}</code></h2><p><strong>{escape(operation['summary'])}.</strong> "
        f"{escape(operation.get('description', ''))}</p>"
    )
    if not operation["security"]:
        yield "<p>No sign-in needed.</p>"
    yield from _parameters(operation.get("parameters", ()))
    yield from _body(operation.get("requestBody"))
    yield "<h3>Answers</h3><table>"
    for status, answer in operation["responses"].items():
        yield (
            f"<tr><th>{escape(status)}</th><td>{escape(answer['description'])}</td>"
            f"<td>{_refs(answer.get('content', {}))}</td></tr>"
        )
    yield "</table>"
    for status, answer in operation["responses"].items():
        for content in answer.get("content", {}).values():
            if "example" in content:
                yield f"<details><summary>An answer ({status})</summary>"
                yield f"{_json(content['example'])}</details>"
    yield "</section>"


def _parameters(parameters: Any) -> Iterator[str]:
    if parameters:
        yield "<h3>Parameters</h3><table>"
    for parameter in parameters:
        yield (
            f"<tr><th><code>{escape(parameter['name'])}</code></th>"
            f"<td>in the {escape(parameter['in'])}</td>"
            f"<td>{escape(parameter.get('description', ''))}</td></tr>"
        )
    if parameters:
        yield "</table>"


def _body(body: Document | None) -> Iterator[str]:
    if body is None:
        return
    for media_type, content in body["content"].items():
        yield f"<h3>Body ({escape(media_type)}): {_refs(content['schema'])}</h3>"
        if "example" in content:
            yield f"<pre>{escape(content['example'])}</pre>"
        for example in content.get("examples", {}).values():
            yield f"<p>{escape(example['summary'])}:</p>{_json(example['value'])}"


def _refs(schema: Any) -> str:
    """Links to the schemas that are named in it."""
    parts = json.dumps(schema).split("#/components/schemas/")[1:]
    names = dict.fromkeys(part.partition('"')[0] for part in parts)
    return ", ".join(f'<a href="#schema-{name}">{name}</a>' for name in names)


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
