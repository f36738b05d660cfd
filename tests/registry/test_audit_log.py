"""The audit log: who sees what of it, what the database refuses, and that it tells the whole story."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from modelyard.database.session import reading, transaction
from modelyard.database.tables import AuditEntry, metadata
from modelyard.errors import InvalidValue, ModelyardError, PermissionDenied
from modelyard.registry.access import Actor, Via
from modelyard.registry.audit_log import AuditFilter, entries_after, newest_entries, retention_days, set_retention_days
from modelyard.registry.model_versions import delete_model_version, update_model_version
from modelyard.registry.permissions import WantedLevel, set_permissions, update_permissions
from modelyard.registry.registered_models import (
    create_registered_model,
    delete_registered_model,
    find_registered_model,
    rename_registered_model,
    update_registered_model,
)
from modelyard.registry.registration import NewVersion, Remembered
from modelyard.registry.tags import (
    delete_model_version_tag,
    delete_registered_model_tag,
    set_model_version_tag,
    set_registered_model_tag,
)
from modelyard.registry.transition_requests import approve_transition_request, create_transition_request
from modelyard.registry.transitions import transition_model_version_stage
from modelyard.registry.trash import list_trash, restore
from modelyard.rules.permissions import Level
from modelyard.rules.principals import PrincipalKind
from modelyard.rules.stages import IN_USE, Stage
from modelyard.rules.tokens import TokenLimits
from tests.registry.desks import ANN, CONSOLE, STRANGER, Desk

audit_log = metadata.tables["audit_log"]
DAY_MS = 24 * 3600 * 1000


def enter(desk: Desk, **columns: Any) -> int:
    """Write an entry as it might have been left."""
    with transaction(desk.engine) as session:
        values = {"actor": "ann", "address": "", "request_id": "", "action": "createToken", "at_ms": 1, **columns}
        return int(session.execute(insert(audit_log).values(values)).inserted_primary_key[0])  # type: ignore[attr-defined]


def seen(desk: Desk, actor: Actor, wanted: AuditFilter = AuditFilter(), *, limit: int = 100) -> list[AuditEntry]:  # noqa: B008 - frozen.
    with reading(desk.engine) as session:
        return newest_entries(session, actor, wanted, limit=limit).rows


def test_an_entry_says_who_by_what_from_where_with_which_request(desk: Desk) -> None:
    actor = replace(ANN, via=Via("0123456789abcdef", "203.0.113.9", "req-1"))

    with transaction(desk.engine) as session:
        create_registered_model(session, actor, "m", description="d", tags=[("k", "v")])

    (entry,) = desk.audit()
    assert (entry.actor, entry.token_id, entry.address, entry.request_id) == (
        "ann",
        "0123456789abcdef",
        "203.0.113.9",
        "req-1",
    )
    assert (entry.action, entry.model_name, entry.before) == ("createRegisteredModel", "m", None)
    assert entry.after == {"description": "d", "tags": {"k": "v"}, "permissions": {}}


def test_what_is_rolled_back_was_never_written(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        create_registered_model(session, ANN, "m")
        session.rollback()

    assert desk.audit() == []


@pytest.mark.parametrize(
    "statement",
    [
        lambda row_id: update(audit_log).where(audit_log.c.id == row_id).values(actor="eve"),
        lambda row_id: update(audit_log).values(id=audit_log.c.id + 1),
        lambda row_id: delete(audit_log).where(audit_log.c.id == row_id),
        lambda row_id: delete(audit_log),
    ],
    ids=["update", "renumber", "delete", "empty"],
)
def test_the_database_refuses_to_alter_or_early_delete_an_entry(desk: Desk, statement: Callable[[int], Any]) -> None:
    desk.model()
    (entry,) = desk.audit()

    with pytest.raises(DBAPIError, match="audit log"), transaction(desk.engine) as session:
        session.execute(statement(entry.id))

    assert [one.actor for one in desk.audit()] == [entry.actor]


def test_an_entry_cannot_be_replaced_or_truncated_either(desk: Desk) -> None:
    desk.model()
    (entry,) = desk.audit()
    eve = {"id": entry.id, "at_ms": 1, "actor": "eve", "address": "", "request_id": "", "action": ""}
    replaced = insert(audit_log).prefix_with("OR REPLACE").values(eve)

    with pytest.raises(DBAPIError, match="append-only"), transaction(desk.engine) as session:
        session.execute(replaced if desk.engine.dialect.name == "sqlite" else text("TRUNCATE audit_log"))

    assert desk.audit()[0].actor == "ann"


def test_what_is_older_than_the_retention_may_go(desk: Desk) -> None:
    old = enter(desk, at_ms=1)
    young = enter(desk, at_ms=10**15)

    with transaction(desk.engine) as session:
        session.execute(delete(audit_log).where(audit_log.c.id == old))

    assert [entry.id for entry in desk.audit()] == [young]


def test_the_retention_stands_in_the_database_and_its_change_in_the_log(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        session.execute(insert(metadata.tables["registry"]).values(id=1, registry_id="r"))
    with reading(desk.engine) as session:
        assert retention_days(session) == 365

    with transaction(desk.engine) as session:
        set_retention_days(session, CONSOLE, 30)

    with reading(desk.engine) as session:
        assert retention_days(session) == 30
    entry = desk.audit()[-1]
    assert (entry.action, entry.before, entry.after) == ("changeAuditRetention", {"days": 365}, {"days": 30})
    with transaction(desk.engine) as session:
        with pytest.raises(PermissionDenied):
            set_retention_days(session, STRANGER, 1)
        for days in (0, -1, 10**9):
            with pytest.raises(InvalidValue):
                set_retention_days(session, CONSOLE, days)


def test_a_longer_retention_protects_what_was_old_enough_before(desk: Desk) -> None:
    with transaction(desk.engine) as session:
        session.execute(insert(metadata.tables["registry"]).values(id=1, registry_id="r"))
    row_id = enter(desk, at_ms=1)
    with transaction(desk.engine) as session:
        set_retention_days(session, CONSOLE, 36_500)

    with pytest.raises(DBAPIError, match="keeps this row"), transaction(desk.engine) as session:
        session.execute(delete(audit_log).where(audit_log.c.id == row_id))


def test_managers_see_what_happened_to_their_models_and_nobody_sees_more(desk: Desk) -> None:
    ann, bob, eve = desk.user("ann", "admins"), desk.user("bob"), desk.user("eve")
    for actor, name in ((bob, "b"), (eve, "e")):
        with transaction(desk.engine) as session:
            create_registered_model(session, actor, name)
    desk.grant("eve", Level.CAN_EDIT, on="b")
    limited = replace(ann, limits=TokenLimits(models=frozenset({"e"})))

    assert {entry.model_name for entry in seen(desk, ann)} == {None, "b", "e"}
    assert {entry.model_name for entry in seen(desk, bob)} == {"b"}
    assert {entry.model_name for entry in seen(desk, eve)} == {"e"}
    assert {entry.model_name for entry in seen(desk, limited)} == {"e"}
    assert seen(desk, STRANGER) == []


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (AuditFilter(), [4, 3, 2, 1]),
        (AuditFilter(model="m"), [2, 1]),
        (AuditFilter(model="m", version=2), [2]),
        (AuditFilter(actor="eve"), [3]),
        (AuditFilter(actions=("createToken", "revokeToken")), [4, 3]),
        (AuditFilter(principal="token:x"), [4]),
        (AuditFilter(token_id="t"), [1]),
        (AuditFilter(request_id="r"), [2]),
        (AuditFilter(after_ms=10), [4, 3]),
        (AuditFilter(before_ms=30), [2, 1]),
        (AuditFilter(model="other"), []),
    ],
)
def test_entries_are_found_by_what_they_tell(desk: Desk, wanted: AuditFilter, ids: list[int]) -> None:
    enter(desk, at_ms=5, action="updateRegisteredModel", model_name="m", token_id="t")
    enter(desk, at_ms=10, action="updateModelVersion", model_name="m", version=2, request_id="r")
    enter(desk, at_ms=30, action="createToken", actor="eve")
    enter(desk, at_ms=40, action="revokeToken", principal="token:x")

    assert [entry.id for entry in seen(desk, CONSOLE, wanted)] == ids


def test_a_models_history_is_found_under_its_new_name(desk: Desk) -> None:
    desk.model("old")
    with transaction(desk.engine) as session:
        rename_registered_model(session, ANN, "old", new_name="new")

    assert [entry.action for entry in seen(desk, CONSOLE, AuditFilter(model="new"))] == [
        "renameRegisteredModel",
        "createRegisteredModel",
    ]
    assert [entry.action for entry in seen(desk, CONSOLE, AuditFilter(model="old"))] == ["createRegisteredModel"]


def test_pages_and_pieces_lose_nothing_while_the_log_grows(desk: Desk) -> None:
    ids = [enter(desk) for _ in range(7)]
    paged: list[int] = []
    exported: list[int] = []
    before_id: int | None = None

    with reading(desk.engine) as session:
        while True:
            page = newest_entries(session, CONSOLE, AuditFilter(), limit=3, before_id=before_id)
            paged += [entry.id for entry in page.rows]
            if page.last is None:
                break
            before_id = page.last[0]
        while found := entries_after(session, CONSOLE, AuditFilter(), after=exported[-1] if exported else 0, limit=3):
            exported += [entry.id for entry in found]

    assert paged == ids[::-1]
    assert exported == ids


class Replay:
    """The registry as the audit log alone tells it."""

    def __init__(self) -> None:
        self.models: dict[int, dict[str, Any]] = {}
        self.trash: dict[int, dict[str, Any]] = {}

    def read(self, entry: AuditEntry) -> None:
        """Take one entry into account."""
        after, before = entry.after or {}, entry.before or {}
        if entry.action == "createRegisteredModel":
            self.models[entry.model_id or 0] = {
                "name": entry.model_name,
                "description": after["description"],
                "tags": dict(after["tags"]),
                "permissions": dict(after["permissions"]),
                "versions": {},
                "trash": {},
            }
            return
        if entry.action == "restoreRegisteredModel":
            self.models[entry.model_id or 0] = self.trash.pop(entry.model_id or 0) | {"name": after["name"]}
            return
        if entry.model_id not in self.models:
            return
        model = self.models[entry.model_id]
        about = model if entry.version is None else model["versions"].get(entry.version)
        match entry.action:
            case "deleteRegisteredModel":
                self.trash[entry.model_id] = self.models.pop(entry.model_id)
            case "renameRegisteredModel":
                model["name"] = after["name"]
            case "createModelVersion":
                model["versions"][entry.version] = {key: after[key] for key in ("description", "tags", "stage")}
            case "deleteModelVersion":
                model["trash"][entry.version] = model["versions"].pop(entry.version)
            case "restoreModelVersion":
                model["versions"][entry.version] = model["trash"].pop(entry.version)
            case "updateRegisteredModel" | "updateModelVersion":
                about["description"] = after["description"]
            case "setRegisteredModelTag" | "setModelVersionTag":
                about["tags"][after["key"]] = after["value"]
            case "deleteRegisteredModelTag" | "deleteModelVersionTag":
                del about["tags"][before["key"]]
            case "transitionModelVersionStage" | "approveTransitionRequest":
                about["stage"] = after["stage"]
                for number in after["archived"]:
                    model["versions"][number]["stage"] = "Archived"
            case "changeRegisteredModelAcl":
                model["permissions"] = after["permissions"]


def actual(desk: Desk) -> dict[int, dict[str, Any]]:
    """The registry as its tables have it."""
    tables = {name: metadata.tables[name] for name in metadata.tables}
    with reading(desk.engine) as session:
        rows = {
            name: session.execute(select(tables[name])).all()
            for name in ("registered_models", "model_versions", "registered_model_tags", "model_version_tags", "grants")
        }
        holders = {row.id: f"{row.kind}:{row.name}" for row in session.execute(select(tables["principals"]))}
    return {
        model.id: {
            "name": model.name,
            "description": model.description,
            "tags": {tag.key: tag.value for tag in rows["registered_model_tags"] if tag.model_id == model.id},
            "permissions": {holders[row.principal_id]: row.level for row in rows["grants"] if row.model_id == model.id},
            "versions": {
                version.version: {
                    "description": version.description,
                    "stage": version.stage,
                    "tags": {tag.key: tag.value for tag in rows["model_version_tags"] if tag.version_id == version.id},
                }
                for version in rows["model_versions"]
                if version.model_id == model.id and version.deleted_at_ms is None
            },
        }
        for model in rows["registered_models"]
        if model.deleted_at_ms is None
    }


class Hands:
    """Somebody who does random things with a registry; what is refused changes nothing."""

    def __init__(self, desk: Desk, actor: Actor, seed: int) -> None:
        self.desk, self.actor, self.random = desk, actor, random.Random(seed)
        self.people = [name for name in ("p1", "p2", "p3") if desk.user(name)]

    def act(self, session: Session) -> None:
        """Do one thing."""
        pick, name = self.random, self.random.choice("abcd")
        number, key = pick.randint(1, 6), pick.choice("xyz")
        stage, value = pick.choice(list(Stage)), str(pick.random())
        lifecycle, actor = self.desk.lifecycle, self.actor
        move = {"to": stage, "archive_existing": stage in IN_USE and pick.random() < 0.5, "queue": self.desk.queue}
        deeds: list[tuple[int, Callable[[], object]]] = [
            (3, lambda: create_registered_model(session, actor, name, description=value, tags=[(key, value)])),
            (6, lambda: self.desk.create(session, NewVersion(name=name, source="s", tags={key: value}), Remembered())),
            (2, lambda: update_registered_model(session, actor, name, description=value)),
            (2, lambda: update_model_version(session, actor, name, number, description=value)),
            (1, lambda: rename_registered_model(session, actor, name, new_name=pick.choice("abcd"))),
            (2, lambda: set_registered_model_tag(session, actor, name, key, value)),
            (2, lambda: set_model_version_tag(session, actor, name, number, key, value)),
            (1, lambda: delete_registered_model_tag(session, actor, name, key)),
            (1, lambda: delete_model_version_tag(session, actor, name, number, key)),
            (6, lambda: transition_model_version_stage(session, actor, name, number, **move)),
            (3, lambda: create_transition_request(session, actor, name, number, to=stage)),
            (3, lambda: approve_transition_request(session, actor, name, number, **move)),
            (2, lambda: self._permit(session, name)),
            (1, lambda: delete_model_version(session, actor, name, number, lifecycle=lifecycle)),
            (1, lambda: delete_registered_model(session, actor, name, lifecycle=lifecycle)),
            (2, lambda: self._restore(session)),
        ]  # fmt: skip
        pick.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()

    def _restore(self, session: Session) -> None:
        found, _ = list_trash(session, self.actor, limit=100)
        restore(
            session, self.actor, self.random.choice(found).public_id if found else "", lifecycle=self.desk.lifecycle
        )

    def _permit(self, session: Session, name: str) -> None:
        change = self.random.choice([set_permissions, update_permissions])
        wanted = [
            WantedLevel(PrincipalKind.USER, person, self.random.choice(list(Level)))
            for person in self.random.sample(self.people, self.random.randint(0, 3))
        ]
        change(session, self.actor, find_registered_model(session, name).public_id, wanted)


def test_a_thousand_changes_replayed_from_the_log_give_the_registry(desk: Desk) -> None:
    hands, done, refused = Hands(desk, desk.user("ann", "admins"), seed=7), 0, 0

    while done < 1000:
        try:
            with transaction(desk.engine) as session:
                hands.act(session)
            done += 1
        except ModelyardError:
            refused += 1
    replay = Replay()
    for entry in desk.audit():
        replay.read(entry)

    told = {row: {key: value for key, value in one.items() if key != "trash"} for row, one in replay.models.items()}
    assert told == actual(desk)
    assert {"restoreRegisteredModel", "restoreModelVersion"} <= {entry.action for entry in desk.audit()}
    assert sum(len(model["versions"]) for model in replay.models.values()) > 10
    assert refused > 100
