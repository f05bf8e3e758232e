"""Reading params.yaml as DVC reads it, and refusing what no stage could mean.

DVC and the code read with ruamel.yaml's safe loader (YAML 1.2): `1e-3` is a number, `no` is text, a
repeated key is an error. What dvc.lock records is therefore what the code has seen.
"""

from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from fashion_mnist.pipeline.errors import UserError

PATH = Path("params.yaml")


class Section(BaseModel):
    """A mapping of params.yaml: strict types, finite numbers, no unknown key.

    Defaults are for Python (`Train(epochs=1)`), for new keys and for the documentation; a file that
    `load` reads says every value, so that dvc.lock records all of them.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def accepts(words: str) -> Any:
    """What a text or a list may be, for messages and documentation: in an `Annotated` type."""
    return Field(json_schema_extra={"accepts": words})


S = TypeVar("S", bound=Section)


def load(schema: type[S], section: str = "", path: Path = PATH) -> S:
    """Read one section of params.yaml, or the whole file where `section` is empty.

    Raises:
        UserError: the file is missing or no YAML, or a key is missing, unknown, of the wrong type
            or out of range; one line a mistake, with key, value and what is allowed.
    """
    content = read(path)
    if section:
        if section not in content:
            present = ", ".join(map(str, content)) or "none"
            raise UserError(f"{path}: the section `{section}` is missing (present: {present})")
        content = content[section]
    prefix = (section,) if section else ()
    mistakes = [f"{path}: {line}" for line in _missing(schema, content, prefix)]
    try:
        found = validate(schema, content, path, prefix)
    except UserError as error:
        mistakes.append(str(error))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return found


def _missing(schema: type[BaseModel], content: Any, prefix: tuple[str, ...]) -> Iterator[str]:
    """A line for each key that the content lacks and that has a default; pydantic names others."""
    for name, field in schema.model_fields.items() if isinstance(content, dict) else ():
        path, kind = (*prefix, name), field.annotation
        if name not in content and not field.is_required():
            node = _schema_at(schema.model_json_schema(), (name,))
            yield f"{'.'.join(path)} is missing: give {describe(node)}"
        elif isinstance(kind, type) and issubclass(kind, Section):
            yield from _missing(kind, content.get(name), path)


def validate(schema: type[S], content: Any, path: Path, prefix: tuple[str, ...] = ()) -> S:
    """The values of a mapping that was read from `path`, where it stands under the keys `prefix`.

    Raises:
        UserError: as `load`.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        whole = schema.model_json_schema()
        lines = [_explain(whole, prefix, mistake) for mistake in error.errors()]
        raise UserError("\n".join(f"{path}: {line}" for line in lines)) from None


def read(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        UserError: the file is missing, no YAML, or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file in {Path.cwd()}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    for number, line in enumerate(text.split("\n"), 1):
        # ruamel's reader in C is deaf to `%YAML 1.1`, the other is not; a byte-order mark may lead
        if line.lstrip("\ufeff").startswith("%"):
            raise UserError(f"{path}, line {number}: {line!r}: directives are not allowed")
    try:
        YAML(typ="safe", pure=True).load(text)  # says best what is wrong
        content = YAML(typ="safe").load(text)  # DVC's reader, in C where ruamel.yaml has that one
    except MarkedYAMLError as error:
        raise UserError(f"{path}{_syntax(error)}") from None
    except YAMLError as error:
        raise UserError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # of the 13th month, or of more digits than Python converts
        raise UserError(f"{path}: a value cannot be read: {error}") from None
    except RecursionError:
        raise UserError(f"{path}: brackets are nested too deeply") from None
    if content is None:
        raise UserError(f"{path}: the file is empty, every section is missing")
    if not isinstance(content, dict):
        raise UserError(f"{path}: the top level must be a mapping of sections, not {content!r}")
    return content


def _syntax(error: MarkedYAMLError) -> str:
    """One line for a syntax error: line number, reason, and the tab or key that caused it."""
    mark = error.problem_mark or error.context_mark
    where = f", line {mark.line + 1}" if mark else ""
    problem = (error.problem or error.context or "no YAML").splitlines()[0]
    if "\\t" in problem:
        problem = "a tab is used for indentation; use spaces"
    return f"{where}: {problem}"


def _explain(schema: dict[str, Any], prefix: tuple[str, ...], mistake: Any) -> str:
    """One line for one of pydantic's errors: the key, the value, and what is allowed."""
    location = mistake["loc"]
    key = ".".join(map(str, (*prefix, *location)))
    if mistake["type"] in ("extra_forbidden", "invalid_key"):
        known = list(_schema_at(schema, location[:-1])["properties"])
        near = get_close_matches(str(location[-1]), known, n=1)
        meant = f"; did you mean `{near[0]}`?" if near else ""
        return f"unknown key {key}{meant} (known: {', '.join(known)})"
    node = _schema_at(schema, location)
    allowed = describe(node)
    if mistake["type"] == "value_error":
        reason = str(mistake["ctx"]["error"])  # of a section: it names the keys that clash
        return reason if "properties" in node else f"{key}: {reason}: give {allowed}"
    if mistake["type"] == "missing":
        return f"{key} is missing: give {allowed}"
    return f"{key} is {shown(mistake['input'])}: give {allowed}"


def shown(value: Any) -> str:
    """A value as a reader of params.yaml recognises it, cut to a line's length."""
    if value is None:
        return "empty (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a whole number of {value.bit_length()} bits"
    text = f"the date {value}" if isinstance(value, date) else repr(value)
    if isinstance(value, str):
        text = f"the text {value!r}"
    return text if len(text) <= 80 else text[:77] + "..."


def _schema_at(whole: dict[str, Any], location: tuple[int | str, ...]) -> dict[str, Any]:
    """The JSON schema of the key at `location`."""
    node = whole
    for name in location:
        node = node["items"] if isinstance(name, int) else node["properties"][name]
        if "$ref" in node:
            node = whole["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


def describe(schema: dict[str, Any]) -> str:
    """What a key accepts, in words, from its JSON schema."""
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    kind = schema["type"]
    if kind == "boolean":
        return "true or false"
    if kind == "object":
        return "a mapping with the keys " + ", ".join(schema["properties"])
    if kind in ("string", "array"):
        return str(schema["accepts"])
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[bound]}" for bound, sign in bounds.items() if bound in schema]
    word = "a whole number" if kind == "integer" else "a number"
    return f"{word} {' and '.join(limits)}".strip()
