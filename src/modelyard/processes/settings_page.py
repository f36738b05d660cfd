"""The reference of all settings as a page of Markdown, made from the settings class itself."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from modelyard.settings import Settings

_INTRODUCTION = """\
# Settings

Every setting is an environment variable, read once when a process starts. This page is printed by `modelyard settings`.

| variable | value | default | meaning |
|---|---|---|---|
"""
_WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}


def settings_page() -> str:
    """Return the page; rows stand in the order of the class."""
    return _INTRODUCTION + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    cells = (f"`MODELYARD_{name.upper()}`", _kind(field.annotation), _default(field.default), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _kind(annotation: Any) -> str:
    if annotation is SecretStr:
        return "text, secret"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(annotation))
    inner = [_kind(part) for part in get_args(annotation) if part not in (type(None), Ellipsis)]
    if get_origin(annotation) is tuple:
        return f"list of {inner[0]}s"
    return " or ".join(inner) if inner else _WORDS.get(annotation, str(annotation))


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
