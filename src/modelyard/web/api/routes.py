"""The table of contents: every route of the wire, and who answers it."""

from collections.abc import Callable, Iterator

from flask import Flask, Response

from modelyard.database.session import repeat_conflicts
from modelyard.web.api import (
    access_tokens,
    activities,
    aliases,
    artifacts,
    audit,
    bulk,
    care,
    comments,
    databricks,
    dbfs,
    downloads,
    explanations,
    files,
    jobs,
    model_versions,
    openapi,
    people,
    permissions,
    plans,
    policies,
    registered_models,
    rollback,
    schedules,
    scim,
    service,
    tags,
    tokens,
    transition_requests,
    trash,
    usage,
    workforce,
)
from modelyard.web.api.route import Answer, Route
from modelyard.web.json_answers import json_answer
from modelyard.web.routing import Endpoint

# mlflow 1.x asks below `preview`, web pages below `ajax-api`.
PREFIXES = ("/api/2.0/mlflow", "/api/2.0/preview/mlflow", "/ajax-api/2.0/mlflow")

# Mounted below each of the prefixes.
REGISTRY = [
    Route("POST", "/registered-models/create", registered_models.create),
    Route("GET", "/registered-models/get", registered_models.get),
    Route("PATCH", "/registered-models/update", registered_models.update),
    Route("POST", "/registered-models/rename", registered_models.rename),
    Route("DELETE", "/registered-models/delete", registered_models.delete),
    Route("GET", "/registered-models/search", registered_models.search),
    Route("GET", "/registered-models/list", registered_models.list_all),
    Route("POST", "/registered-models/get-latest-versions", registered_models.get_latest_versions),
    Route("GET", "/registered-models/get-latest-versions", registered_models.get_latest_versions),
    Route("POST", "/registered-models/set-tag", tags.set_model_tag),
    Route("DELETE", "/registered-models/delete-tag", tags.delete_model_tag),
    Route("POST", "/registered-models/alias", aliases.set_alias),
    Route("GET", "/registered-models/alias", aliases.get_version),
    Route("DELETE", "/registered-models/alias", aliases.delete_alias),
    Route("POST", "/model-versions/create", model_versions.create),
    Route("GET", "/model-versions/get", model_versions.get),
    Route("PATCH", "/model-versions/update", model_versions.update),
    Route("DELETE", "/model-versions/delete", model_versions.delete),
    Route("GET", "/model-versions/search", model_versions.search),
    Route("POST", "/model-versions/transition-stage", model_versions.transition_stage),
    Route("POST", "/model-versions/set-tag", tags.set_version_tag),
    Route("DELETE", "/model-versions/delete-tag", tags.delete_version_tag),
    Route("GET", "/model-versions/list-activities", activities.list_all),
    Route("GET", "/databricks/registered-models/get", databricks.get_model),
    Route("POST", "/databricks/model-versions/transition-stage", databricks.transition_stage),
    Route("POST", "/transition-requests/create", transition_requests.create),
    Route("GET", "/transition-requests/list", transition_requests.list_open),
    Route("POST", "/transition-requests/approve", transition_requests.approve),
    Route("POST", "/transition-requests/reject", transition_requests.reject),
    Route("DELETE", "/transition-requests/delete", transition_requests.cancel),
    Route("POST", "/comments/create", comments.create),
    Route("PATCH", "/comments/update", comments.update),
    Route("DELETE", "/comments/delete", comments.delete),
    Route("GET", "/model-versions/get-download-uri", downloads.get_download_uri),
    Route("GET", "/model-versions/list-artifacts", downloads.list_artifacts),
    Route("GET", "/model-versions/get-signed-download-uri", downloads.get_signed_download_uri),
]

# Ours: each handler's annotations are what checks a request and what describes the route.
NATIVE_PREFIX = "/api/v1"
NATIVE = [
    Route("GET", "/jobs", jobs.list_jobs),
    Route("GET", "/jobs/<job_id>", jobs.show_job),
    Route("GET", "/jobs/<job_id>/log", jobs.read_log),
    Route("POST", "/jobs/<job_id>/cancel", jobs.cancel_job),
    Route("POST", "/jobs/<job_id>/retry", jobs.retry_job),
    # Each of the jobs is retried in a transaction of its own; a repetition would not count those that were.
    Route("POST", "/jobs/retry", jobs.retry_failed, repeatable=False),
    Route("GET", "/users", people.list_users),
    Route("POST", "/users", people.create_user),
    Route("GET", "/users/<id>", people.show_user),
    Route("PATCH", "/users/<id>", people.change_user),
    Route("DELETE", "/users/<id>", people.delete_user),
    Route("GET", "/groups", people.list_groups),
    Route("POST", "/groups", people.create_group),
    Route("GET", "/groups/<id>", people.show_group),
    Route("PATCH", "/groups/<id>", people.change_group),
    Route("DELETE", "/groups/<id>", people.delete_group),
    Route("PUT", "/groups/<id>/members/<member>", people.add_member),
    Route("DELETE", "/groups/<id>/members/<member>", people.remove_member),
    Route("GET", "/tokens", tokens.list_tokens),
    Route("POST", "/tokens", tokens.create_token),
    Route("DELETE", "/tokens/<token_id>", tokens.revoke_token),
    Route("GET", "/permissions/explain", explanations.explain),
    Route("GET", "/audit", audit.list_entries),
    Route("GET", "/audit/export", audit.export),
    Route("GET", "/workers", workforce.list_workers),
    Route("GET", "/queues", workforce.list_queues),
    Route("GET", "/schedules", schedules.list_schedules),
    Route("PATCH", "/schedules/<name>", schedules.change_schedule),
    Route("GET", "/models/<name>/usage", usage.show_model_usage),
    Route("POST", "/models/<name>/verify", care.verify_model),
    Route("POST", "/models/<name>/rollback", rollback.roll_back_model),
    Route("GET", "/models/<name>/versions/<version>/files", files.list_files),
    Route("GET", "/models/<name>/versions/<version>/usage", usage.show_version_usage),
    Route("GET", "/models/<name>/versions/<version>/integrity", care.show_integrity),
    Route("POST", "/models/<name>/versions/<version>/verify", care.verify_version),
    Route("POST", "/models/<name>/versions/<version>/repair", care.repair_version),
    Route("POST", "/models/<name>/versions/<version>/materialize", care.materialize_version),
    Route("GET", "/store/usage", usage.show_store_usage),
    Route("GET", "/store/damaged", care.list_damaged_versions),
    Route("POST", "/store/verify", care.verify_store),
    Route("POST", "/store/collect", care.collect),
    Route("POST", "/bulk/archive", bulk.bulk_archive),
    Route("POST", "/bulk/delete", bulk.bulk_delete),
    Route("POST", "/bulk/restore", bulk.bulk_restore),
    Route("POST", "/bulk/verify", bulk.bulk_verify),
    Route("POST", "/bulk/tag", bulk.bulk_tag),
    Route("GET", "/plans", plans.list_plans),
    Route("GET", "/plans/<id>", plans.show_plan),
    Route("GET", "/plans/<id>/versions", plans.list_plan_versions),
    Route("POST", "/plans/<id>/execute", plans.execute_plan),
    Route("POST", "/policies", policies.create_policy),
    Route("GET", "/policies", policies.list_policies),
    Route("GET", "/policies/<name>", policies.show_policy),
    Route("PATCH", "/policies/<name>", policies.change_policy),
    Route("POST", "/policies/<name>/plan", policies.plan_policy),
    Route("POST", "/policies/<name>/run", policies.run_policy),
    Route("GET", "/policies/<name>/history", policies.list_policy_runs),
    Route("GET", "/trash", trash.list_trash),
    Route("POST", "/trash/<id>/restore", trash.restore),
    Route("GET", "/trash/<id>/purge", trash.foresee_purge),
    Route("POST", "/trash/<id>/purge", trash.purge),
    Route("GET", "/openapi.json", openapi.show_description, open=True),
]

FILES = [
    Route("GET", "/api/2.0/mlflow-artifacts/artifacts", artifacts.list_folder),
    Route("GET", "/api/2.0/mlflow-artifacts/artifacts/<path:path>", artifacts.get_file),
    Route("PUT", "/api/2.0/mlflow-artifacts/artifacts/<path:path>", artifacts.refuse_change),
    Route("DELETE", "/api/2.0/mlflow-artifacts/artifacts/<path:path>", artifacts.refuse_change),
    Route("POST", "/api/2.0/mlflow-artifacts/mpu/<operation>/<path:path>", artifacts.refuse_multipart),
    Route("GET", "/api/2.0/mlflow-artifacts/presigned/<path:path>", artifacts.refuse_presigned),
    # The link carries its own proof: clients fetch it without credentials.
    Route("GET", f"{downloads.SIGNED_FILES}/<version_id>", artifacts.get_signed_file, open=True),
    Route("GET", "/api/2.0/dbfs/list", dbfs.list_folder),
    Route("GET", "/api/2.0/dbfs/get-status", dbfs.get_status),
    Route("POST", "/dbfs/<path:path>", dbfs.upload, repeatable=False),
]

SCIM = "/api/2.0/preview/scim/v2"

PEOPLE = [
    Route("GET", f"{SCIM}/Me", scim.me),
    *(
        route
        for name, folder in (
            ("Users", scim.USERS),
            ("Groups", scim.GROUPS),
            ("ServicePrincipals", scim.SERVICE_PRINCIPALS),
        )
        for route in (
            Route("GET", f"{SCIM}/{name}", folder.list_all),
            Route("POST", f"{SCIM}/{name}", folder.create),
            Route("GET", f"{SCIM}/{name}/<number>", folder.get),
            Route("PUT", f"{SCIM}/{name}/<number>", folder.replace),
            Route("PATCH", f"{SCIM}/{name}/<number>", folder.patch),
            Route("DELETE", f"{SCIM}/{name}/<number>", folder.delete),
        )
    ),
    Route("POST", "/api/2.0/token/create", access_tokens.create),
    Route("POST", "/api/2.0/token/delete", access_tokens.delete),
    Route("GET", "/api/2.0/token/list", access_tokens.list_own),
    Route("PATCH", "/api/2.0/token/<token_id>", access_tokens.update),
    Route("POST", "/api/2.0/token-management/on-behalf-of/tokens", access_tokens.create_on_behalf),
    Route("GET", "/api/2.0/token-management/tokens", access_tokens.list_all),
    Route("GET", "/api/2.0/token-management/tokens/<token_id>", access_tokens.get),
    Route("DELETE", "/api/2.0/token-management/tokens/<token_id>", access_tokens.delete_managed),
]

MODEL_PERMISSIONS = "/api/2.0/permissions/registered-models/<object_id>"

PERMISSIONS = [
    Route("GET", MODEL_PERMISSIONS, permissions.get),
    Route("GET", f"{MODEL_PERMISSIONS}/permissionLevels", permissions.get_levels),
    Route("PUT", MODEL_PERMISSIONS, permissions.put),
    Route("PATCH", MODEL_PERMISSIONS, permissions.patch),
]

SERVICE = [
    Route("GET", "/health", service.health, open=True),
    Route("GET", "/readyz", service.readyz, open=True),
    Route("GET", "/version", service.version, open=True),
    Route("GET", "/metrics", service.metrics, open=True),
    Route("GET", "/api/3.0/mlflow/server-info", service.server_info, open=True),
    Route("GET", "/ajax-api/3.0/mlflow/server-info", service.server_info, open=True),
    Route("GET", "/.well-known/databricks-config", service.databricks_config, open=True),
]


def endpoints() -> Iterator[Endpoint]:
    """Give every route as it stands in the routing table."""
    mounted = [(prefix, route) for prefix in PREFIXES for route in REGISTRY]
    mounted += [(NATIVE_PREFIX, route) for route in NATIVE]
    mounted += [("", route) for route in FILES + PEOPLE + PERMISSIONS + SERVICE]
    for prefix, route in mounted:
        path = prefix + route.path
        yield Endpoint(f"{route.method} {path}", route.method, path, _view(route), route.open)


def describe_in(app: Flask) -> None:
    """Let `app` know which routes its OpenAPI document is about."""
    app.extensions[openapi.EXTENSION] = NATIVE_PREFIX, NATIVE


def _view(route: Route) -> Callable[..., Response]:
    """Return the handler as Flask calls it: repeated on conflicts here and nowhere else, its answer made JSON."""

    def view(**path_parameters: str) -> Response:
        def handle() -> Answer:
            return route.answer(path_parameters)

        answer = repeat_conflicts(handle) if route.repeatable else handle()
        return answer if isinstance(answer, Response) else json_answer(answer)

    return view
