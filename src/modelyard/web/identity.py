"""Who is calling: the one place that turns credentials into an actor.

Single sign-on will be a further way in, beside `actor_of` and `actor_of_browser`.
"""

import binascii
import hmac
import threading
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, cast

import structlog
from flask import g
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from modelyard.database.session import autocommit, reading, transaction
from modelyard.errors import Unauthorized
from modelyard.registry.access import Actor
from modelyard.registry.authentication import actor_of_name, actor_of_token, note_use
from modelyard.registry.browser_sessions import BrowserSession, actor_of_session
from modelyard.registry.principals import ADMIN_ID, ADMINS_ID, LOCAL_ID
from modelyard.rules import principals
from modelyard.rules.tokens import digest_of, public_id_of
from modelyard.web.throttle import Throttle

LOCAL = Actor(principals.LOCAL, is_admin=True, principals=(LOCAL_ID, ADMINS_ID))
ADMIN = Actor(principals.ADMIN, is_admin=True, principals=(ADMIN_ID, ADMINS_ID))

# So long may a token that was revoked in another process still open the door of this one.
BELIEVED_S: Final = 10.0
# So long is a token that was right not taken for a guess, however many others guess from the same address.
REMEMBERED_S: Final = 3600.0
MOST_KNOWN: Final = 10_000
_HOW = (
    "Send `Authorization: Bearer TOKEN`, or Basic with the token as password (MLFLOW_TRACKING_TOKEN, DATABRICKS_TOKEN)."
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows: a token, and the account that it claims, if any."""

    token: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    actor: Actor
    seen_s: float


@dataclass(slots=True)
class Identity:
    """How callers are known. With `none` everybody is the same administrator, whatever token a client insists on."""

    mode: Literal["none", "token"]
    admin_token: str | None
    engine: Engine
    throttle: Throttle = field(default_factory=Throttle)
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def actor_of(self, authorization: str | None, *, address: str = "") -> Actor:
        """Return who sends this Authorization header. Raises Unauthorized, LimitReached after too many guesses."""
        if self.mode == "none":
            return LOCAL
        credentials = _credentials_of(authorization or "")
        digest = digest_of(credentials.token)
        known = self._known.get(digest)
        now = self.clock()
        if known is not None and now - known.seen_s < BELIEVED_S:
            return known.actor
        keys = [f"address {address}"] + [f"account {credentials.account}"] * bool(credentials.account)
        if known is None or now - known.seen_s > REMEMBERED_S:
            self.throttle.check(keys)
        try:
            actor = self._look_up(credentials.token)
        except Unauthorized:
            self._forget(digest)
            self.throttle.failed(keys, digest)
            raise
        self._remember(digest, actor)
        return actor

    def actor_named(self, name: str) -> Actor | None:
        """Return the actor that a signed link names; None for one who is not let in any more."""
        known = LOCAL if self.mode == "none" else ADMIN
        if known.name == name:
            return known
        if self.mode == "none":
            return None
        with reading(self.engine) as session:
            return actor_of_name(session, name)

    def actor_of_browser(self, found: BrowserSession) -> Actor:
        """Return who sits before a signed-in browser. Raises Unauthorized when its session is over."""
        if self.mode == "none":
            return LOCAL
        if found.begun_with == self.admin_mark:
            return ADMIN
        key = f"session {found.public_id} {found.begun_with}"
        known = self._known.get(key)
        if known is not None and self.clock() - known.seen_s < BELIEVED_S:
            return known.actor
        try:
            with reading(self.engine) as session:
                actor = actor_of_session(session, found)
        except Unauthorized:
            self._forget(key)
            raise
        self._remember(key, actor)
        return actor

    @property
    def admin_mark(self) -> str:
        """What a session that MODELYARD_ADMIN_TOKEN began holds of it: another token ends all of them."""
        return f"admin:{digest_of(f'session {self.admin_token}')[:32]}"

    def forget_all(self) -> None:
        """Look everybody up again: something about people, groups or tokens was changed by this process."""
        with self._lock:
            self._known.clear()

    def _look_up(self, token: str) -> Actor:
        # Compared in constant time, and as bytes, since a header may hold anything.
        if self.admin_token and hmac.compare_digest(token.encode(), self.admin_token.encode()):
            return ADMIN
        try:
            with autocommit(self.engine) as connection:
                actor = actor_of_token(connection, token)
        except Unauthorized as error:
            raise Unauthorized(f"{error.message} {_HOW}") from error
        if actor.via.unnoted:
            self._note_use(actor.via.token_id or "")
        return actor

    def _note_use(self, public_id: str) -> None:
        """Write down when a token was last used. Whoever uses it does not care, so a failure is only logged."""
        try:
            with transaction(self.engine) as session:
                note_use(session, public_id)
        except SQLAlchemyError as error:
            log.warning("the use of a token was not noted", reason=str(error).splitlines()[0])

    def _remember(self, digest: str, actor: Actor) -> None:
        with self._lock:
            self._known[digest] = _Known(actor, self.clock())
            self._known.move_to_end(digest)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def _forget(self, digest: str) -> None:
        with self._lock:
            self._known.pop(digest, None)


def current_actor() -> Actor:
    """Return who calls the handler that runs now."""
    return cast(Actor, g.actor)


def came_by(actor: Actor, *, address: str, request_id: str) -> Actor:
    """Return the same actor as the audit log knows it: with where it calls from, in which request."""
    return replace(actor, via=replace(actor.via, address=address, request_id=request_id))


def _credentials_of(authorization: str) -> Credentials:
    """Return what a header shows. Raises Unauthorized when it is missing or has no known form."""
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if not rest:
        raise Unauthorized(f"Credentials are missing. {_HOW}")
    match scheme.lower():
        case "bearer":
            found = Credentials(rest, account=public_id_of(rest) or "")
        case "basic":
            found = _basic(rest)
        case _:
            raise Unauthorized(f"Authorization by {scheme[:20]!r} is not known here. {_HOW}")
    if not found.token:
        raise Unauthorized(f"Credentials are missing. {_HOW}")
    if scheme.lower() == "bearer" and any(sign in found.token for sign in ", \t"):
        raise Unauthorized(f"The Authorization header holds more than one token. {_HOW}")
    return found


def _basic(encoded: str) -> Credentials:
    try:
        name, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Unauthorized(f"The Basic credentials cannot be read. {_HOW}") from error
    return Credentials(password, account=principals.folded(name))
