"""Host names that a server answers to. No I/O.

A web page elsewhere can make a browser call a server on this machine: under a name that was pointed here
("DNS rebinding", seen in Host) or across sites (seen in Origin). So both are compared with the names we know.
"""

from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
ANY_HOST = "*"


def host_name(host: str) -> str:
    """Return the name of `name[:port]` in small letters, without port, brackets and final dot; "" for nonsense."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    if any(character in host for character in "/?#@\\") or any(character.isspace() for character in host):
        return ""
    return name.rstrip(".")


def origin_name(origin: str) -> str:
    """Return the host name of an Origin header; "" for `null` and nonsense."""
    scheme, found, rest = origin.partition("://")
    return host_name(rest) if found and scheme.lower() in ("http", "https") else ""


def is_allowed(name: str, allowed: frozenset[str]) -> bool:
    """Whether a server that answers to `allowed` answers to `name`."""
    return bool(name) and (name in allowed or ANY_HOST in allowed)
