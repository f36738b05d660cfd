"""Registering a version from a source that somebody names: into a model that is there, or one made with it."""

import hashlib
import secrets

import orjson
from flask import Response

from modelyard.database.session import autocommit, transaction
from modelyard.database.tables import public_id
from modelyard.errors import AlreadyExists, InvalidValue, LimitReached, ModelyardError, SourceRefused
from modelyard.registry import model_versions as registry
from modelyard.registry import registered_models
from modelyard.registry.idempotency import KeyedRequest, claim_key
from modelyard.registry.registration import NewVersion, Origin, origin_of
from modelyard.registry.searches import first_model_names
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui.asked import query, tag_lines, typed
from modelyard.web.ui.frame import Refusal, go, sheet
from modelyard.web.ui.words import address

# More would make the page heavy; the others are found by their own page's button.
_LISTED_MODELS = 500
_FIELDS = ("source", "run_id", "model", "name", "description", "tags", "key", "back")
_ROUTE = "pages/register"


def show() -> Response:
    """Ask for a source, and for the model that gets the version."""
    given = dict.fromkeys(_FIELDS, "") | {name: query(name) for name in ("source", "run_id", "model", "name", "back")}
    # Sent twice, a form under the same key makes one version.
    return _form({**given, "key": secrets.token_urlsafe(12)})


def register() -> Response:
    """Register a version, with its model if that is new; show it."""
    given = {name: typed(name).strip() if name != "description" else typed(name) for name in _FIELDS}
    try:
        name, number = _register(given)
    except SourceRefused as error:
        return _form(given, Refusal(error.message, "source"))
    except AlreadyExists as error:
        text = f"{error.error_code}: {error.message} Choose it in the list of models to add a version to it."
        return _form(given, Refusal(text, "name"))
    except (InvalidValue, LimitReached) as error:
        return _form(given, Refusal(error.message, _field_of(error)))
    # From a run's page one goes back there, where the button becomes a link.
    back = given["back"] if given["back"].startswith("/runs/") else ""
    return go(back or address("models", name, "versions", number), f"Version {number} of {name} was registered.")


def _register(given: dict[str, str]) -> tuple[str, int]:
    name = given["model"] or given["name"]
    wish = NewVersion(
        name=name,
        source=given["source"],
        description=given["description"],
        run_id=given["run_id"],
        tags=tag_lines(given["tags"]),
    )
    # Looks at folders, so it stands outside of the transaction.
    origin = origin_of(wish, mode=site().sources.mode, vet=site().sources.vet)
    return _create(given, wish, origin)


def _create(given: dict[str, str], wish: NewVersion, origin: Origin) -> tuple[str, int]:
    new_id = public_id()
    with transaction(site().engine) as session:
        if given["key"]:
            keyed = KeyedRequest(given["key"], _ROUTE, hashlib.sha256(orjson.dumps(given)).hexdigest())
            earlier = claim_key(session, current_actor(), keyed, new_id=new_id)
            if earlier is not None:
                model, version = registry.version_of_id(session, current_actor(), earlier)
                return model.name, version.version
        if not given["model"]:
            registered_models.create_registered_model(session, current_actor(), wish.name)
        made = registry.create_model_version(
            session,
            current_actor(),
            wish,
            origin,
            lifecycle=site().lifecycle,
            max_pending=site().max_pending_versions,
            new_id=new_id,
        )
        return wish.name, made.version


def _form(given: dict[str, str], refusal: Refusal | None = None) -> Response:
    with autocommit(site().engine) as connection:
        names = first_model_names(connection, current_actor(), _LISTED_MODELS)
    if given["model"] and given["model"] not in names:
        names.insert(0, given["model"])
    return sheet(
        "register.html",
        title="Register Model",
        section="register",
        action="/register",
        back=given["back"] if given["back"].startswith("/runs/") else _model_page(given["model"]),
        refusal=refusal,
        given=given,
        names=names,
    )


def _model_page(name: str) -> str:
    return address("models", name) if name else "/models"


def _field_of(error: ModelyardError) -> str:
    """Return the field that a refusal is about, told by its words; "" for the whole form."""
    text = error.message.lower()
    return next((field for field, word in _WORDS.items() if word in text), "")


_WORDS = {"tags": " tag", "description": "description", "run_id": "run_id", "name": "name"}
