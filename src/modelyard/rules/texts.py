"""Texts that people and clients write: what may be stored, and how long it may be. No I/O.

Source of the limits: contracts/mlflow.md 5.
"""

import re

from modelyard.errors import InvalidValue

MAX_DESCRIPTION_BYTES = 65_535
MAX_RUN_ID_CHARACTERS = 256
MAX_LINK_CHARACTERS = 2048

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_storable(label: str, text: str) -> None:
    """Raise InvalidValue for a text that a database or an answer cannot hold: NUL or half a surrogate pair."""
    if "\0" in text:
        raise InvalidValue(f"The {label} holds a NUL character. Remove it.")
    # Texts of many megabytes come by here before their length is looked at.
    if not text.isascii() and _SURROGATE.search(text):
        raise InvalidValue(f"The {label} holds half of a surrogate pair, which is no character. Send valid UTF-8.")


def check_description(text: str) -> None:
    """Raise InvalidValue when a description is too long."""
    size_bytes = len(text.encode())
    if size_bytes > MAX_DESCRIPTION_BYTES:
        raise InvalidValue(f"The description has {size_bytes} bytes; at most {MAX_DESCRIPTION_BYTES} are allowed.")


def check_comment(text: str) -> None:
    """Raise InvalidValue when a comment is too long."""
    size_bytes = len(text.encode())
    if size_bytes > MAX_DESCRIPTION_BYTES:
        raise InvalidValue(f"The comment has {size_bytes} bytes; at most {MAX_DESCRIPTION_BYTES} are allowed.")


def check_length(label: str, text: str, limit: int) -> None:
    """Raise InvalidValue when `text` has more than `limit` characters."""
    if len(text) > limit:
        raise InvalidValue(f"The {label} has {len(text)} characters; at most {limit} are allowed.")
