"""Paths inside a version, as clients ask for them. No I/O."""

from urllib.parse import unquote

from modelyard.errors import InvalidValue


def check_artifact_path(path: str) -> str:
    """Return `path` without a slash at its end. Raises InvalidValue for one that leads elsewhere or says "..".

    Nothing is ever looked up on a disk by it; the check keeps clients from believing otherwise.
    """
    trimmed = path.rstrip("/")
    decoded = trimmed
    for _ in range(3):
        if decoded.startswith("/") or "\0" in decoded or ".." in decoded.replace("\\", "/").split("/"):
            raise InvalidValue("Invalid path")
        decoded = unquote(decoded)
    if any(segment in ("", ".") for segment in trimmed.split("/")) and trimmed:
        raise InvalidValue("Invalid path")
    return trimmed
