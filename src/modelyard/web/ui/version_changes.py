"""What people change of a version: its stage, description, tags, aliases; and its end."""

from flask import Response, request

from modelyard.database.session import autocommit, reading, transaction
from modelyard.errors import Damaged, InvalidState, InvalidValue, SourceRefused
from modelyard.registry import aliases as registry_aliases
from modelyard.registry import care, queries
from modelyard.registry import model_versions as registry
from modelyard.registry import tags as registry_tags
from modelyard.registry.followers import follow_or_not
from modelyard.registry.overview import others_in_stage, version_facts
from modelyard.registry.registered_models import find_registered_model, read_registered_model
from modelyard.registry.shown import ShownVersion
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.rules.stages import IN_USE, Stage, parse_stage
from modelyard.web.api.care import start_materializing
from modelyard.web.identity import current_actor
from modelyard.web.site import site
from modelyard.web.ui import activity
from modelyard.web.ui.asked import ticked, typed
from modelyard.web.ui.editing import description_form, read_edit, tag_form
from modelyard.web.ui.frame import Refusal, go, sheet
from modelyard.web.ui.words import address, size

_SHOWN_OTHERS = 10


def edit_description(name: str, number: int) -> Response:
    """Ask for a version's description."""
    return description_form(_title("Describe", number), _here(name, number), _version(name, number).description)


def save_description(name: str, number: int) -> Response:
    """Replace a version's description, unless somebody else did so meanwhile."""
    edit, here, title = read_edit(), _here(name, number), _title("Describe", number)
    try:
        with transaction(site().engine) as session:
            # Whoever is overtaken is shown the other text, so it must be one that they may read.
            read_registered_model(session, current_actor(), name)
            model = find_registered_model(session, name, lock=True)
            current = registry.find_model_version(session, model, number).description
            if edit.is_overtaken_by(current):
                return description_form(title, here, current, edit=edit)
            registry.update_model_version(session, current_actor(), name, number, description=edit.text)
    except InvalidValue as error:
        return description_form(title, here, edit.before, edit=edit, refusal=Refusal(error.message, "description"))
    return go(here, "The description was saved.")


def follow(name: str, number: int) -> Response:
    """Let the caller follow a version, or follow it no more."""
    with transaction(site().engine) as session:
        follow_or_not(session, current_actor(), name, number, wish=ticked("wish"))
    return go(_here(name, number), "You follow this version." if ticked("wish") else "You do not follow it any more.")


def new_tag(name: str, number: int) -> Response:
    """Ask for a tag."""
    _version(name, number)
    return tag_form(_title("Add a tag to", number), _here(name, number))


def set_tag(name: str, number: int) -> Response:
    """Give a version a tag."""
    try:
        with transaction(site().engine) as session:
            registry_tags.set_model_version_tag(session, current_actor(), name, number, typed("key"), typed("value"))
    except InvalidValue as error:
        return tag_form(_title("Add a tag to", number), _here(name, number), Refusal(error.message, "key"))
    return go(_here(name, number))


def delete_tag(name: str, number: int) -> Response:
    """Take a tag from a version."""
    with transaction(site().engine) as session:
        registry_tags.delete_model_version_tag(session, current_actor(), name, number, typed("key"))
    return go(_here(name, number))


def new_alias(name: str, number: int, refusal: Refusal | None = None) -> Response:
    """Ask for an alias that is to point to a version."""
    _version(name, number)
    return sheet(
        "alias.html",
        title=_title("Point an alias to", number),
        section="models",
        action=f"{_here(name, number)}/alias",
        back=_here(name, number),
        refusal=refusal,
        alias=typed("alias"),
    )


def set_alias(name: str, number: int) -> Response:
    """Point an alias to a version, wherever it pointed before."""
    try:
        with transaction(site().engine) as session:
            registry_aliases.set_registered_model_alias(session, current_actor(), name, typed("alias").strip(), number)
    except InvalidValue as error:
        return new_alias(name, number, Refusal(error.message, "alias"))
    return go(_here(name, number))


def delete_alias(name: str, number: int) -> Response:
    """Take an alias away."""
    with transaction(site().engine) as session:
        registry_aliases.delete_registered_model_alias(session, current_actor(), name, typed("alias"))
    return go(_here(name, number))


def choose_transition(name: str, number: int) -> Response:
    """Ask for a comment, and whether the versions in the way step aside."""
    return _transition_form(name, number, parse_stage(request.args.get("to", "")), wish="wish" in request.args)


def transition(name: str, number: int) -> Response:
    """Move a version to another stage."""
    to, archive, wish = parse_stage(typed("to")), ticked("archive_existing"), ticked("wish")
    try:
        if wish:
            activity.ask(name, number, to)
            return go(_here(name, number), f"You requested {to}. It stands among the pending requests.")
        with transaction(site().engine) as session:
            transition_model_version_stage(
                session,
                current_actor(),
                name,
                number,
                to=to,
                archive_existing=archive,
                comment=typed("comment"),
                queue=site().queue,
            )
    except (InvalidValue, InvalidState, Damaged) as error:
        return _transition_form(name, number, to, Refusal(error.message), wish=wish)
    return go(_here(name, number), f"Version {number} is in {to}.")


def confirm_delete(name: str, number: int, refusal: Refusal | None = None) -> Response:
    """Say what goes with a version."""
    with autocommit(site().engine) as connection:
        version = queries.model_version(connection, current_actor(), name, number)
        facts = version_facts(connection, [version.id])[version.id]
    return sheet(
        "delete_version.html",
        title=_title("Delete", number),
        section="models",
        action=f"{_here(name, number)}/delete",
        back=_here(name, number),
        refusal=refusal,
        name=name,
        version=version,
        in_use=version.stage in IN_USE,
        bytes=size(facts.size_bytes),
        trash_ms=site().trash_ms,
    )


def delete(name: str, number: int) -> Response:
    """Delete a version."""
    try:
        with transaction(site().engine) as session:
            registry.delete_model_version(
                session,
                current_actor(),
                name,
                number,
                lifecycle=site().lifecycle,
                purge_at_once=site().purges_at_once,
            )
    except InvalidState as error:
        return confirm_delete(name, number, Refusal(error.message))
    end = "." if site().purges_at_once else " and can be restored from the trash."
    return go(address("models", name), f"Version {number} was deleted{end}")


def verify(name: str, number: int) -> Response:
    """Have a version's stored files read again, by a job."""
    with transaction(site().engine) as session:
        job = care.verify_version(session, current_actor(), name, number, queue=site().queue)
        job_id = job.id
    return go(address("jobs", job_id))


def materialize(name: str, number: int) -> Response:
    """Have the files copied of a version that was registered by reference, by a job; say why not if they cannot be."""
    try:
        job_id = start_materializing(name, number)
    except (InvalidState, SourceRefused) as error:
        return go(_here(name, number), error.message)
    return go(address("jobs", job_id))


def _transition_form(
    name: str, number: int, to: Stage, refusal: Refusal | None = None, *, wish: bool = False
) -> Response:
    with reading(site().engine) as session:
        connection = session.connection()
        version = queries.model_version(connection, current_actor(), name, number)
        model = find_registered_model(session, name)
        others = others_in_stage(connection, model.id, to, but=number, limit=_SHOWN_OTHERS + 1) if to in IN_USE else []
    return sheet(
        "transition.html",
        title=_title("Request a transition of" if wish else "Transition", number),
        section="models",
        action=f"{_here(name, number)}/transition",
        back=_here(name, number),
        refusal=refusal,
        version=version,
        to=to,
        wish=wish,
        others=others[:_SHOWN_OTHERS],
        more_others=len(others) > _SHOWN_OTHERS,
        comment=typed("comment"),
        archive=ticked("archive_existing"),
    )


def _version(name: str, number: int) -> ShownVersion:
    with autocommit(site().engine) as connection:
        return queries.model_version(connection, current_actor(), name, number)


def _here(name: str, number: int) -> str:
    return address("models", name, "versions", number)


def _title(doing: str, number: int) -> str:
    return f"{doing} version {number}"
