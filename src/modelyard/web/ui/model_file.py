"""What an MLmodel file says of its model: flavors and signature. It may be anybody's file: nothing in it is trusted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import yaml

MAX_BYTES: Final = 256 * 1024
_MOST_COLUMNS: Final = 1000
_MOST_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Column:
    """One input, output or parameter of a model."""

    name: str
    kind: str
    required: bool
    default: str = ""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The parts of an MLmodel file that pages show. `flavors` are names, with their library's version if it is told.

    `problem` says why a part could not be read; "" for none.
    """

    flavors: list[str] = field(default_factory=list)
    inputs: list[Column] = field(default_factory=list)
    outputs: list[Column] = field(default_factory=list)
    params: list[Column] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""

    @property
    def has_signature(self) -> bool:
        """Whether the file says what goes in or comes out."""
        return bool(self.inputs or self.outputs or self.params)


@lru_cache(256)
def read_model_file(content: bytes) -> ModelFile:
    """Return what the file says; never raises, whatever it holds."""
    try:
        document = yaml.load(content, Loader=_Loader)  # noqa: S506 -- a SafeLoader, in C where there is one.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return ModelFile(problem=f"The file is no YAML that can be read: {str(error)[:_MOST_CHARACTERS]}")
    if not isinstance(document, Mapping):
        return ModelFile(problem="The file does not hold names with values.")
    signature = document.get("signature")
    signature = signature if isinstance(signature, Mapping) else {}
    try:
        inputs, outputs, params = (_columns(signature.get(part)) for part in ("inputs", "outputs", "params"))
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"The signature cannot be read: {str(error)[:_MOST_CHARACTERS]}"
        return ModelFile(_flavors(document.get("flavors")), facts=_facts(document), problem=problem)
    return ModelFile(_flavors(document.get("flavors")), inputs, outputs, params, _facts(document))


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _flavors(found: object) -> list[str]:
    if not isinstance(found, Mapping):
        return []
    return [f"{_text(name)} {_library_version(flavor)}".strip() for name, flavor in list(found.items())[:50]]


def _library_version(flavor: object) -> str:
    """Return the version of a flavor's own library; every flavor names Python's, too, which tells nothing here."""
    if not isinstance(flavor, Mapping):
        return ""
    told = (value for key, value in flavor.items() if str(key).endswith("_version") and key != "python_version")
    return _text(next(told, ""))


def _facts(document: Mapping[Any, Any]) -> list[tuple[str, str]]:
    known = ("mlflow_version", "utc_time_created", "model_size_bytes", "model_uuid", "model_id", "run_id")
    return [(name.replace("_", " "), _text(document[name])) for name in known if document.get(name)]


def _columns(found: object) -> list[Column]:
    """Return the columns of a part of the signature, which stands there as JSON within YAML."""
    listed = json.loads(found) if isinstance(found, str) and found.strip() else found
    if not isinstance(listed, list):
        return []
    return [_column(place, one) for place, one in enumerate(listed[:_MOST_COLUMNS])]


def _column(place: int, one: object) -> Column:
    if not isinstance(one, Mapping):
        return Column(f"{place}", _text(one), required=True)
    kind = one.get("type") or one.get("dtype") or ""
    if kind == "tensor" and isinstance(one.get("tensor-spec"), Mapping):
        spec = one["tensor-spec"]
        kind = f"tensor of {_text(spec.get('dtype'))}, shape {_text(spec.get('shape'))}"
    elif kind in ("object", "array", "map"):
        kind = f"{kind} {json.dumps(one.get('properties') or one.get('items') or one.get('values') or {})}"
    default = _text(one["default"]) if "default" in one else ""
    return Column(_text(one.get("name", f"{place}")), _text(kind), bool(one.get("required", True)), default)


def _text(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
