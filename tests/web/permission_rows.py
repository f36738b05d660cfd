"""Who may ask what: a row for each way to ask each route, as data. `test_permission_table.py` asks it all.

Texts in braces are filled in from the scene (`tests/web/scenes.py`); `given` names what happens in it before.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from modelyard.rules.permissions import Ability, Level
from modelyard.web.api.routes import FILES, MODEL_PERMISSIONS, NATIVE, PEOPLE, PERMISSIONS, REGISTRY, SCIM, SERVICE


class Who(Enum):
    """Who may, where it is no matter of a level on a model."""

    EVERYBODY = "whoever comes in"
    OPEN = "anybody, without credentials"
    ADMIN = "administrators only"
    NOBODY = "nobody at all"


@dataclass(frozen=True)
class Listed:
    """Everybody may ask, and the answer holds `shows` for those with `level` on the model."""

    shows: str = "{m}"
    level: Level = Level.CAN_READ


@dataclass(frozen=True)
class Row:
    """One way to ask a route. `path` fills the route's placeholders.

    `answer` is the status for whoever may, `refused` for others; 404 where a refusal would tell too much already.
    """

    route: str
    who: Ability | Who | Listed
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    answer: int = 200
    refused: int = 403


M: dict[str, Any] = {"name": "{m}"}
V: dict[str, Any] = {"name": "{m}", "version": "1"}
STAGING = {**V, "stage": "Staging"}
PRODUCTION = {**V, "stage": "Production"}
LEFT = {**V, "stage": "Archived"}


def moves(route: str) -> list[Row]:
    """Return the rows of a route that moves a version: below Production, into it, out of it."""
    return [
        Row(route, Ability.MOVE_BELOW_PRODUCTION, STAGING),
        Row(route, Ability.MOVE_PRODUCTION, PRODUCTION),
        Row(route, Ability.MOVE_PRODUCTION, LEFT, given=("in_production",)),
    ]


def answers(route: str) -> list[Row]:
    """Return the rows of a route that answers requests."""
    return [
        Row(route, Ability.MOVE_BELOW_PRODUCTION, STAGING, given=("wish",)),
        Row(route, Ability.MOVE_PRODUCTION, PRODUCTION, given=("production_wish",)),
        Row(route, Ability.MOVE_PRODUCTION, STAGING, given=("wish", "in_production")),
    ]


REGISTRY_ROWS = [
    Row("POST /registered-models/create", Who.EVERYBODY, {"name": "{m}-of-{caller}"}),
    Row("GET /registered-models/get", Ability.VIEW, query=M),
    Row("PATCH /registered-models/update", Ability.DESCRIBE, {**M, "description": "d"}),
    Row("POST /registered-models/rename", Ability.RENAME, {**M, "new_name": "{m}-renamed"}),
    Row("DELETE /registered-models/delete", Ability.DELETE_MODEL, M),
    Row("GET /registered-models/search", Listed('"{m}"'), query={"max_results": "1000", "order_by": "name"}),
    Row("GET /registered-models/list", Listed('"{m}"')),
    Row("POST /registered-models/get-latest-versions", Ability.VIEW, M),
    Row("GET /registered-models/get-latest-versions", Ability.VIEW, query=M),
    Row("POST /registered-models/set-tag", Ability.TAG, {**M, "key": "k", "value": "v"}),
    Row("DELETE /registered-models/delete-tag", Ability.TAG, {**M, "key": "k"}),
    Row("POST /registered-models/alias", Ability.ALIAS, {**V, "alias": "best"}),
    Row("GET /registered-models/alias", Ability.VIEW, query={**M, "alias": "latest"}),
    Row("DELETE /registered-models/alias", Ability.ALIAS, {**M, "alias": "best"}),
    Row("POST /model-versions/create", Ability.CREATE_VERSION, {**M, "source": "{source}"}),
    Row("GET /model-versions/get", Ability.VIEW, query=V),
    Row("PATCH /model-versions/update", Ability.DESCRIBE, {**V, "description": "d"}),
    Row("DELETE /model-versions/delete", Ability.DELETE_VERSION, V),
    Row("GET /model-versions/search", Listed('"{m}"')),
    *moves("POST /model-versions/transition-stage"),
    Row("POST /model-versions/set-tag", Ability.TAG, {**V, "key": "k", "value": "v"}),
    Row("DELETE /model-versions/delete-tag", Ability.TAG, {**V, "key": "k"}),
    Row("GET /model-versions/list-activities", Ability.VIEW, query=V),
    Row("GET /databricks/registered-models/get", Ability.VIEW, query=M),
    *moves("POST /databricks/model-versions/transition-stage"),
    Row("POST /transition-requests/create", Ability.REQUEST_TRANSITION, STAGING),
    Row("GET /transition-requests/list", Ability.VIEW, query=V),
    *answers("POST /transition-requests/approve"),
    *answers("POST /transition-requests/reject"),
    Row(
        "DELETE /transition-requests/delete",
        Ability.REQUEST_TRANSITION,
        {**STAGING, "creator": "{caller}"},
        given=("own_wish",),
    ),
    Row(
        "DELETE /transition-requests/delete",
        Ability.CANCEL_REQUEST,
        {**STAGING, "creator": "{bystander}"},
        given=("wish",),
    ),
    Row("POST /comments/create", Ability.COMMENT, {**V, "comment": "hi"}),
    Row("PATCH /comments/update", Ability.COMMENT, {"id": "{own_comment}", "comment": "x"}, given=("own_comment",)),
    Row("PATCH /comments/update", Who.NOBODY, {"id": "{comment}", "comment": "x"}, given=("comment",)),
    Row("DELETE /comments/delete", Ability.COMMENT, {"id": "{own_comment}"}, given=("own_comment",)),
    Row("DELETE /comments/delete", Ability.DELETE_COMMENT, {"id": "{comment}"}, given=("comment",)),
    Row("GET /model-versions/get-download-uri", Ability.VIEW, query=V),
    Row("GET /model-versions/list-artifacts", Ability.VIEW, query={**V, "path": ""}),
    # It never fails, but what it signs then leads nowhere.
    Row("GET /model-versions/get-signed-download-uri", Listed("{version_id}"), query={**V, "path": "MLmodel"}),
]

IN_PATH = {"name": "{m}", "version": "1"}
JOB = {"job_id": "{job}"}
TRASHED = {"id": "{trashed}"}
USER = {"id": "{person}"}
GROUP = {"id": "{group}"}

LISTED = {"versions": [{"name": "{m}", "version": 1}]}
FILTER = {"filter": "name = '{m}'"}
PLAN, DIGEST, POLICY = {"id": "{plan}"}, {"digest": "{digest}"}, {"name": "archive-idle"}

NATIVE_ROWS = [
    Row("GET /jobs", Listed('"model":"{m}"'), given=("job",)),
    Row("GET /jobs/<job_id>", Ability.VIEW, path=JOB, given=("job",)),
    Row("GET /jobs/<job_id>/log", Ability.VIEW, path=JOB, given=("job",)),
    Row("POST /jobs/<job_id>/cancel", Ability.MANAGE_JOBS, path=JOB, given=("job",)),
    Row("POST /jobs/<job_id>/retry", Ability.MANAGE_JOBS, path=JOB, given=("failed_job",)),
    Row("POST /jobs/retry", Listed('"retried":1', Level.CAN_EDIT), {"model": "{m}"}, given=("failed_job",)),
    Row("GET /users", Who.EVERYBODY),
    Row("POST /users", Who.ADMIN, {"name": "new-{m}"}),
    Row("GET /users/<id>", Who.EVERYBODY, path=USER, given=("person",)),
    Row("PATCH /users/<id>", Who.ADMIN, {"active": False}, path=USER, given=("person",)),
    Row("DELETE /users/<id>", Who.ADMIN, path=USER, given=("person",)),
    Row("GET /groups", Who.EVERYBODY),
    Row("POST /groups", Who.ADMIN, {"name": "new-{m}"}),
    Row("GET /groups/<id>", Who.EVERYBODY, path=GROUP, given=("group",)),
    Row("PATCH /groups/<id>", Who.ADMIN, {"name": "new-{m}"}, path=GROUP, given=("group",)),
    Row("DELETE /groups/<id>", Who.ADMIN, path=GROUP, given=("group",)),
    Row(
        "PUT /groups/<id>/members/<member>",
        Who.ADMIN,
        path={**GROUP, "member": "{person}"},
        given=("person", "group"),
    ),
    Row(
        "DELETE /groups/<id>/members/<member>",
        Who.ADMIN,
        path={**GROUP, "member": "{person}"},
        given=("person", "group"),
    ),
    Row("GET /tokens", Who.EVERYBODY),
    Row("GET /tokens", Who.ADMIN, query={"everybody": "true"}),
    Row("POST /tokens", Who.EVERYBODY, {}),
    Row("POST /tokens", Who.ADMIN, {"user": "{bystander}"}),
    Row("DELETE /tokens/<token_id>", Who.EVERYBODY, path={"token_id": "{own_token}"}, given=("own_token",)),
    Row("DELETE /tokens/<token_id>", Who.ADMIN, path={"token_id": "{token}"}, given=("token",), refused=404),
    Row("GET /permissions/explain", Ability.VIEW, query={"model": "{m}", "principal": "{caller}"}),
    Row("GET /permissions/explain", Ability.CHANGE_PERMISSIONS, query={"model": "{m}", "principal": "{bystander}"}),
    Row("GET /audit", Listed('"model":"{m}"', Level.CAN_MANAGE)),
    Row("GET /audit/export", Listed('"{m}"', Level.CAN_MANAGE)),
    Row("GET /workers", Who.EVERYBODY),
    Row("GET /queues", Who.EVERYBODY),
    Row("GET /schedules", Who.EVERYBODY),
    Row("PATCH /schedules/<name>", Who.ADMIN, {"enabled": True}, path={"name": "prune_jobs"}),
    Row("GET /models/<name>/usage", Ability.VIEW, path=IN_PATH),
    Row("POST /models/<name>/verify", Ability.VERIFY, path=IN_PATH),
    Row("GET /models/<name>/versions/<version>/files", Ability.VIEW, path=IN_PATH),
    Row("GET /models/<name>/versions/<version>/usage", Ability.VIEW, path=IN_PATH),
    Row("GET /models/<name>/versions/<version>/integrity", Ability.VIEW, path=IN_PATH),
    Row("POST /models/<name>/versions/<version>/verify", Ability.VERIFY, path=IN_PATH),
    # Nothing is damaged.
    Row(
        "POST /models/<name>/versions/<version>/repair",
        Ability.VERIFY,
        {"source": "{folder}"},
        path=IN_PATH,
        answer=400,
    ),
    # Its files are in the store already.
    Row(
        "POST /models/<name>/versions/<version>/materialize",
        Ability.CREATE_VERSION,
        path=IN_PATH,
        answer=400,
    ),
    Row("POST /models/<name>/rollback", Ability.MOVE_PRODUCTION, {}, path=IN_PATH, given=("in_production",)),
    Row("POST /bulk/archive", Ability.VIEW, LISTED),
    Row("POST /bulk/archive", Listed('"versions":1', Level.CAN_MANAGE_STAGING_VERSIONS), FILTER),
    Row("POST /bulk/delete", Listed('"versions":1', Level.CAN_MANAGE), FILTER),
    Row("POST /bulk/restore", Listed('"versions":1', Level.CAN_MANAGE), FILTER, given=("trashed_version",)),
    Row("POST /bulk/verify", Listed('"versions":1', Level.CAN_EDIT), FILTER),
    Row("POST /bulk/tag", Listed('"versions":1', Level.CAN_EDIT), {**FILTER, "key": "team", "value": "a"}),
    Row("GET /plans", Who.EVERYBODY),
    Row("GET /plans/<id>", Who.ADMIN, path=PLAN, given=("plan",)),
    Row("GET /plans/<id>", Who.EVERYBODY, path=PLAN, given=("own_plan",)),
    Row("GET /plans/<id>/versions", Who.ADMIN, path=PLAN, given=("plan",)),
    Row("GET /plans/<id>/versions", Who.EVERYBODY, path=PLAN, given=("own_plan",)),
    Row("POST /plans/<id>/execute", Who.ADMIN, DIGEST, path=PLAN, given=("plan",)),
    Row("POST /plans/<id>/execute", Who.EVERYBODY, DIGEST, path=PLAN, given=("own_plan",)),
    Row("POST /policies", Who.ADMIN, {"name": "{m}-{caller}", "action": "archive", "models": "{m}", "every_s": 3600}),
    Row("GET /policies", Who.ADMIN),
    Row("GET /policies/<name>", Who.ADMIN, path=POLICY),
    Row("PATCH /policies/<name>", Who.ADMIN, {"enabled": False}, path=POLICY),
    Row("POST /policies/<name>/plan", Who.ADMIN, {}, path=POLICY),
    Row("POST /policies/<name>/run", Who.ADMIN, {}, path=POLICY),
    Row("GET /policies/<name>/history", Who.ADMIN, path=POLICY),
    Row("GET /store/usage", Who.ADMIN),
    Row("GET /store/damaged", Who.ADMIN),
    Row("POST /store/verify", Who.ADMIN, {}),
    Row("POST /store/collect", Who.ADMIN, {"dry_run": True}),
    Row("GET /trash", Listed('"{m}"'), given=("trashed",)),
    Row("POST /trash/<id>/restore", Ability.EMPTY_TRASH, {}, path=TRASHED, given=("trashed",)),
    Row("GET /trash/<id>/purge", Ability.EMPTY_TRASH, path=TRASHED, given=("trashed",)),
    Row("POST /trash/<id>/purge", Ability.EMPTY_TRASH, {}, path=TRASHED, given=("trashed",)),
    Row("GET /openapi.json", Who.OPEN),
]

ARTIFACTS = "/api/2.0/mlflow-artifacts"
FILE = {"path": "versions/{version_id}/MLmodel"}

FILE_ROWS = [
    Row(f"GET {ARTIFACTS}/artifacts", Ability.VIEW, query={"path": "versions/{version_id}"}),
    Row(f"GET {ARTIFACTS}/artifacts/<path:path>", Ability.VIEW, path=FILE),
    Row(f"PUT {ARTIFACTS}/artifacts/<path:path>", Who.NOBODY, path=FILE),
    Row(f"DELETE {ARTIFACTS}/artifacts/<path:path>", Who.NOBODY, path=FILE),
    Row(
        f"POST {ARTIFACTS}/mpu/<operation>/<path:path>",
        Who.EVERYBODY,
        path={**FILE, "operation": "create"},
        answer=501,
    ),
    Row(f"GET {ARTIFACTS}/presigned/<path:path>", Who.EVERYBODY, path=FILE, answer=501),
    # It asks for no credentials, since the link is one: it has the rights of whoever asked for it.
    Row(
        f"GET {ARTIFACTS}/signed/<version_id>",
        Ability.VIEW,
        path={"version_id": "{version_id}"},
        query={"sig": "{signature}"},
        given=("signature",),
    ),
    Row("GET /api/2.0/dbfs/list", Who.EVERYBODY, query={"path": "{uploads}/{m}"}, answer=404),
    Row("GET /api/2.0/dbfs/get-status", Who.EVERYBODY, query={"path": "{uploads}/{m}"}, answer=404),
    Row("POST /dbfs/<path:path>", Who.EVERYBODY, {}, path={"path": "{uploads}/{m}/file"}),
]


def folder(name: str, kind: str, new: dict[str, Any], change: dict[str, Any], given: str) -> list[Row]:
    """Return the rows of one kind of principals as SCIM knows them."""
    one = {"number": f"{{{given}}}"}
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "displayName", "value": "Other {m}"}],
    }
    schemas = [f"urn:ietf:params:scim:schemas:core:2.0:{kind}"]
    return [
        Row(f"GET {SCIM}/{name}", Who.EVERYBODY),
        Row(f"POST {SCIM}/{name}", Who.ADMIN, {"schemas": schemas, **new}),
        Row(f"GET {SCIM}/{name}/<number>", Who.EVERYBODY, path=one, given=(given,)),
        Row(f"PUT {SCIM}/{name}/<number>", Who.ADMIN, {"schemas": schemas, **change}, path=one, given=(given,)),
        Row(f"PATCH {SCIM}/{name}/<number>", Who.ADMIN, patch, path=one, given=(given,)),
        Row(f"DELETE {SCIM}/{name}/<number>", Who.ADMIN, path=one, given=(given,)),
    ]


PEOPLE_ROWS = [
    Row(f"GET {SCIM}/Me", Who.EVERYBODY),
    *folder("Users", "User", {"userName": "n-{m}"}, {"userName": "person-{m}", "displayName": "X"}, "person"),
    *folder("Groups", "Group", {"displayName": "n-{m}"}, {"displayName": "other-{m}"}, "group"),
    *folder("ServicePrincipals", "ServicePrincipal", {"displayName": "n"}, {"displayName": "X"}, "program"),
    Row("POST /api/2.0/token/create", Who.EVERYBODY, {"comment": "c"}),
    Row("POST /api/2.0/token/delete", Who.EVERYBODY, {"token_id": "{own_token}"}, given=("own_token",)),
    Row("POST /api/2.0/token/delete", Who.ADMIN, {"token_id": "{token}"}, given=("token",), refused=404),
    Row("GET /api/2.0/token/list", Who.EVERYBODY),
    Row(
        "PATCH /api/2.0/token/<token_id>",
        Who.EVERYBODY,
        {"token": {"comment": "x"}, "update_mask": "comment"},
        path={"token_id": "{own_token}"},
        given=("own_token",),
    ),
    Row(
        "PATCH /api/2.0/token/<token_id>",
        Who.ADMIN,
        {"token": {"comment": "x"}, "update_mask": "comment"},
        path={"token_id": "{token}"},
        given=("token",),
        refused=404,
    ),
    Row(
        "POST /api/2.0/token-management/on-behalf-of/tokens",
        Who.ADMIN,
        {"application_id": "{application}"},
        given=("program",),
    ),
    Row("GET /api/2.0/token-management/tokens", Who.ADMIN),
    Row(
        "GET /api/2.0/token-management/tokens/<token_id>",
        Who.ADMIN,
        path={"token_id": "{token}"},
        given=("token",),
        refused=404,
    ),
    Row(
        "DELETE /api/2.0/token-management/tokens/<token_id>",
        Who.ADMIN,
        path={"token_id": "{token}"},
        given=("token",),
        refused=404,
    ),
]

OBJECT = {"object_id": "{id}"}
ROOT = {"object_id": "root"}
ENTRY = {"access_control_list": [{"user_name": "{bystander}", "permission_level": "CAN_READ"}]}
ADMINS = {"access_control_list": [{"group_name": "admins", "permission_level": "CAN_MANAGE"}]}

PERMISSION_ROWS = [
    Row(f"GET {MODEL_PERMISSIONS}", Ability.VIEW, path=OBJECT),
    Row(f"GET {MODEL_PERMISSIONS}/permissionLevels", Ability.VIEW, path=OBJECT),
    Row(f"PUT {MODEL_PERMISSIONS}", Ability.CHANGE_PERMISSIONS, ENTRY, path=OBJECT),
    Row(f"PATCH {MODEL_PERMISSIONS}", Ability.CHANGE_PERMISSIONS, ENTRY, path=OBJECT),
    # These callers hold nothing on the root.
    Row(f"GET {MODEL_PERMISSIONS}", Who.ADMIN, path=ROOT),
    Row(f"PUT {MODEL_PERMISSIONS}", Who.ADMIN, ADMINS, path=ROOT),
    Row(f"PATCH {MODEL_PERMISSIONS}", Who.ADMIN, ADMINS, path=ROOT),
]

SERVICE_ROWS = [Row(f"{route.method} {route.path}", Who.OPEN) for route in SERVICE]

# Dialect -> its routes and their rows.
TABLE = {
    "registry": (REGISTRY, REGISTRY_ROWS),
    "native": (NATIVE, NATIVE_ROWS),
    "files": (FILES, FILE_ROWS),
    "people": (PEOPLE, PEOPLE_ROWS),
    "permissions": (PERMISSIONS, PERMISSION_ROWS),
    "service": (SERVICE, SERVICE_ROWS),
}
