"""The generated schemas are current, say what the decoders do, and carry examples that hold."""

from typing import Any

import jsonschema
import msgspec
import pytest

from schemas.examples import EXAMPLES, PLAN_EXAMPLE
from schemas.generate import FOLDER, generated, stale, write
from schemas.messages import BINDINGS, DealChanged, Message
from schemas.plan import PlanDocument

STRUCTS = list(BINDINGS)


def schema_of(name: str) -> Any:
    return msgspec.json.decode((FOLDER / f"{name}.schema.json").read_bytes())


def validator(struct: type[Message]) -> jsonschema.Draft202012Validator:
    schema = schema_of(BINDINGS[struct].type)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def refused_by_both(struct: type[Message], value: dict[str, Any]) -> bool:
    by_schema = not validator(struct).is_valid(value)
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=struct)
    except msgspec.ValidationError:
        return by_schema
    return False


def test_files_are_current() -> None:
    """What stands in the repository is what the declarations say today."""
    assert stale() == (), "to mend it: python -m schemas.generate"


def test_output_depends_on_the_declarations_alone(tmp_path: Any) -> None:
    """Twice the same bytes; a file that nobody generates any longer goes away."""
    assert generated() == generated()
    write(tmp_path)
    (tmp_path / "old.schema.json").write_text("{}")
    (tmp_path / "live.schema.json").write_text("{}")
    assert stale(tmp_path) == ("live.schema.json", "old.schema.json")
    write(tmp_path)
    assert stale(tmp_path) == ()


def test_every_message_has_an_example() -> None:
    """Docs and tests rely on it."""
    assert set(EXAMPLES) == set(BINDINGS)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_example_validates_and_round_trips(struct: type[Message]) -> None:
    """An encoded example satisfies its schema and decodes to an equal message."""
    encoded = msgspec.json.encode(EXAMPLES[struct])
    validator(struct).validate(msgspec.json.decode(encoded))
    assert msgspec.json.decode(encoded, type=struct) == EXAMPLES[struct]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_unknown_field_is_refused(struct: type[Message]) -> None:
    """A misspelt field must not vanish: decoder and schema both say so."""
    value = {**msgspec.to_builtins(EXAMPLES[struct]), "ammount": "1"}
    assert refused_by_both(struct, value)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_number_in_place_of_an_amount_is_refused(struct: type[Message]) -> None:
    """Every top-level amount of every message: a JSON number never passes for one."""
    example = msgspec.to_builtins(EXAMPLES[struct])
    amounts = [name for name in example if name in AMOUNTS and isinstance(example[name], str)]
    for name in amounts:
        assert refused_by_both(struct, {**example, name: 32184.0312}), name


AMOUNTS = {
    *("amount", "credited", "earned", "credited_after", "earned_after", "quota"),
    *("attainment_ratio", "expected_share", "total_amount", "total_quota", "pace_ratio"),
    *("threshold", "first_value"),
}


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ("1e3", "an exponent"),
        ("NaN", "not a number"),
        ("01.50", "a leading zero"),
        ("1.", "no digit behind the point"),
        (".5", "no digit before it"),
        ("1,5", "a comma"),
        ("12.1234567", "seven decimals"),
        ("1" * 16, "sixteen digits"),
        ("1.5\n", "a line end behind it"),
    ],
)
def test_text_that_is_no_amount_is_refused(amount: str, why: str) -> None:
    """The pattern is the contract for clients of every language."""
    value = {**msgspec.to_builtins(EXAMPLES[DealChanged]), "amount": amount}
    assert refused_by_both(DealChanged, value), why


def test_nested_amounts_are_refused_as_numbers() -> None:
    """Lines and splits are checked like the deal itself."""
    example = msgspec.to_builtins(EXAMPLES[DealChanged])
    assert refused_by_both(DealChanged, {**example, "lines": [{"amount": 5}]})
    assert refused_by_both(DealChanged, {**example, "splits": [{"payee_key": "1", "share": 0.5}]})


def test_plan_document_example_validates() -> None:
    """The plan's schema refuses a misspelt field as well."""
    schema = schema_of("plan")
    example = msgspec.json.decode(msgspec.json.encode(PLAN_EXAMPLE))
    jsonschema.validate(example, schema)
    assert msgspec.convert(example, PlanDocument) == PLAN_EXAMPLE
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**example, "componnets": []}, schema)
