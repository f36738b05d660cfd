"""Who is calling: the one place that turns credentials into an actor."""

import binascii
import hmac
from base64 import b64decode
from dataclasses import dataclass
from typing import Literal, cast

from flask import g

from modelyard.errors import Unauthorized
from modelyard.registry.access import Actor

LOCAL = Actor("local", is_admin=True)
ADMIN = Actor("admin", is_admin=True)

_HOW = (
    "Send `Authorization: Bearer TOKEN`, or Basic with the token as password (MLFLOW_TRACKING_TOKEN, DATABRICKS_TOKEN)."
)


@dataclass(frozen=True, slots=True)
class Identity:
    """How callers are known. With `none` everybody is the same administrator, whatever token a client insists on."""

    mode: Literal["none", "token"]
    admin_token: str | None

    def actor_of(self, authorization: str | None) -> Actor:
        """Return who sends this Authorization header. Raises Unauthorized."""
        if self.mode == "none":
            return LOCAL
        token = _token_of(authorization or "")
        if not token:
            raise Unauthorized(f"Credentials are missing. {_HOW}")
        # Compared in constant time, and as bytes, since a header may hold anything.
        if self.admin_token and hmac.compare_digest(token.encode(), self.admin_token.encode()):
            return ADMIN
        raise Unauthorized(f"The token is not known here. {_HOW}")

    def actor_named(self, name: str) -> Actor | None:
        """Return the actor that a signed link names; None when it lost its rights since."""
        known = LOCAL if self.mode == "none" else ADMIN
        return known if known.name == name else None


def current_actor() -> Actor:
    """Return who calls the handler that runs now."""
    return cast(Actor, g.actor)


def _token_of(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    credentials = credentials.strip()
    match scheme.lower():
        case "bearer":
            return credentials
        case "basic":
            return _password_of(credentials)
        case _:
            return ""


def _password_of(credentials: str) -> str:
    try:
        name_and_password = b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return name_and_password.partition(":")[2]
