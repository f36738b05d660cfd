"""The table of contents of the pages: every address, and who answers it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, request

from modelyard.database.session import repeat_conflicts
from modelyard.registry.access import Actor
from modelyard.web.errors import show_errors_as_pages
from modelyard.web.routing import Endpoint
from modelyard.web.site import site
from modelyard.web.ui import (
    activity,
    assets,
    audit,
    compare,
    frame,
    job,
    jobs,
    login,
    model,
    models,
    permissions,
    plans,
    policies,
    preferences,
    register,
    rollback,
    runs,
    schedules,
    tokens,
    trash,
    usage,
    users,
    version,
    version_changes,
    version_files,
    workers,
)
from modelyard.web.ui.browser import StaleForm, check_form, form_token, keep_cookies, signed_in

ENDPOINT_PREFIX: Final = "page "
_JOB: Final = "<int(max=9007199254740991):job_id>"
_ROW: Final = "<int(max=9007199254740991):row_id>"
_VERSION: Final = "/models/<name>/versions/<int:number>"

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class Page:
    """A method and address, and the function that answers. `open` ones need no credentials."""

    method: str
    path: str
    handler: Callable[..., Response]
    open: bool = False


def home() -> Response:
    """Lead to the models."""
    return Response(status=HTTPStatus.FOUND, headers={"Location": "/models"})


PAGES = [
    Page("GET", "/", home),
    Page("GET", "/static/<digest>/<name>", assets.send_asset, open=True),
    Page("GET", "/models", models.show),
    Page("GET", "/ui/models", models.live),
    Page("GET", "/new", models.new),
    Page("POST", "/new", models.create),
    Page("GET", "/models/<name>", model.show),
    Page("GET", "/ui/models/<name>", model.live),
    Page("GET", "/models/<name>/description", model.edit_description),
    Page("POST", "/models/<name>/description", model.save_description),
    Page("GET", "/models/<name>/tags", model.new_tag),
    Page("POST", "/models/<name>/tags", model.set_tag),
    Page("POST", "/models/<name>/tags/delete", model.delete_tag),
    Page("GET", "/models/<name>/delete", model.confirm_delete),
    Page("POST", "/models/<name>/delete", model.delete),
    Page("GET", _VERSION, version.show),
    Page("GET", f"{_VERSION}/jobs", version.show_jobs),
    Page("GET", f"/ui{_VERSION}", version.live),
    Page("GET", f"{_VERSION}/artifacts", version.show),
    Page("GET", f"{_VERSION}/artifacts/<path:path>", version.show_path),
    Page("GET", f"{_VERSION}/raw/<path:path>", version_files.download),
    Page("GET", f"{_VERSION}/image/<path:path>", version_files.show_image),
    Page("GET", f"{_VERSION}/schema", version.show_schema),
    Page("GET", f"{_VERSION}/mlmodel", version.show_model_file),
    Page("GET", f"{_VERSION}/metrics", version.show_metrics),
    Page("GET", f"{_VERSION}/description", version_changes.edit_description),
    Page("POST", f"{_VERSION}/description", version_changes.save_description),
    Page("POST", f"{_VERSION}/follow", version_changes.follow),
    Page("GET", f"{_VERSION}/tags", version_changes.new_tag),
    Page("POST", f"{_VERSION}/tags", version_changes.set_tag),
    Page("POST", f"{_VERSION}/tags/delete", version_changes.delete_tag),
    Page("GET", f"{_VERSION}/alias", version_changes.new_alias),
    Page("POST", f"{_VERSION}/alias", version_changes.set_alias),
    Page("POST", f"{_VERSION}/alias/delete", version_changes.delete_alias),
    Page("GET", f"{_VERSION}/transition", version_changes.choose_transition),
    Page("POST", f"{_VERSION}/transition", version_changes.transition),
    Page("GET", f"{_VERSION}/delete", version_changes.confirm_delete),
    Page("POST", f"{_VERSION}/delete", version_changes.delete),
    Page("GET", f"{_VERSION}/requests", activity.choose_answer),
    Page("POST", f"{_VERSION}/requests", activity.answer),
    Page("POST", f"{_VERSION}/comments", activity.comment),
    Page("GET", f"{_VERSION}/comments/<comment_id>", activity.edit_comment),
    Page("POST", f"{_VERSION}/comments/<comment_id>", activity.save_comment),
    Page("POST", f"{_VERSION}/comments/<comment_id>/delete", activity.delete_comment),
    Page("GET", "/requests", activity.inbox),
    Page("POST", f"{_VERSION}/verify", version_changes.verify),
    Page("POST", f"{_VERSION}/materialize", version_changes.materialize),
    Page("GET", "/models/<name>/compare", compare.show),
    Page("GET", "/register", register.show),
    Page("POST", "/register", register.register),
    Page("GET", "/runs", runs.show_experiments),
    Page("GET", "/runs/<experiment_id>", runs.show_runs),
    Page("GET", "/runs/<experiment_id>/<run_id>", runs.show_run),
    Page("GET", "/ui/runs/<experiment_id>/<run_id>", runs.live),
    Page("GET", "/usage", usage.show),
    Page("GET", "/jobs", jobs.show),
    Page("GET", "/ui/jobs", jobs.live),
    Page("GET", "/jobs/retry", jobs.confirm_retry),
    Page("POST", "/jobs/retry", jobs.retry_failed),
    Page("GET", "/jobs/cancel", jobs.confirm_cancel),
    Page("POST", "/jobs/cancel", jobs.cancel_selected),
    Page("GET", f"/jobs/{_JOB}", job.show),
    Page("GET", f"/ui/jobs/{_JOB}", job.live),
    Page("GET", f"/jobs/{_JOB}/log.txt", job.log_text),
    Page("POST", f"/jobs/{_JOB}/cancel", job.cancel),
    Page("POST", f"/jobs/{_JOB}/retry", job.retry),
    Page("GET", "/workers", workers.show),
    Page("GET", "/ui/workers", workers.live),
    Page("GET", "/schedules", schedules.show),
    Page("GET", "/schedules/<name>", schedules.edit),
    Page("POST", "/schedules/<name>", schedules.save),
    Page("POST", "/policies", policies.create),
    Page("GET", "/new-policy", policies.new),
    Page("GET", "/policies/<name>", policies.show),
    Page("GET", "/policies/<name>/edit", policies.edit),
    Page("POST", "/policies/<name>/edit", policies.save),
    Page("POST", "/policies/<name>/run", policies.run),
    Page("GET", "/plans", plans.show_all),
    Page("GET", "/plans/<public_id>", plans.show),
    Page("GET", "/ui/plans/<public_id>", plans.live),
    Page("GET", "/plans/<public_id>/lines.jsonl", plans.export),
    Page("POST", "/plans/<public_id>/execute", plans.execute),
    Page("GET", "/models/<name>/rollback", rollback.choose),
    Page("POST", "/models/<name>/rollback", rollback.do),
    Page("GET", "/trash", trash.show),
    Page("GET", "/trash/<public_id>/restore", trash.confirm_restore),
    Page("POST", "/trash/<public_id>/restore", trash.restore),
    Page("GET", "/trash/<public_id>/purge", trash.confirm_purge),
    Page("POST", "/trash/<public_id>/purge", trash.purge),
    Page("GET", "/login", login.show, open=True),
    Page("POST", "/login", login.by_token, open=True),
    Page("GET", "/login/link", login.show_link, open=True),
    Page("POST", "/login/link", login.by_link, open=True),
    Page("POST", "/logout", login.leave),
    Page("POST", "/logout/everywhere", login.leave_everywhere),
    Page("GET", "/settings/tokens", tokens.show),
    Page("POST", "/settings/tokens", tokens.create),
    Page("GET", "/settings/tokens/new", tokens.new),
    Page("POST", "/settings/tokens/<public_id>/revoke", tokens.revoke),
    Page("GET", "/settings/users", users.show),
    Page("POST", "/settings/users", users.create),
    Page("GET", "/settings/users/new", users.new),
    Page("POST", f"/settings/users/{_ROW}/active", users.set_active),
    Page("POST", f"/settings/groups/{_ROW}/members", users.change_members),
    Page("GET", "/audit", audit.show),
    Page("GET", "/audit.jsonl", audit.export),
    Page("GET", "/models/<name>/permissions", permissions.show),
    Page("POST", "/models/<name>/permissions", permissions.change),
    Page("GET", "/settings/profile", preferences.show),
    Page("GET", "/settings/keys", preferences.show_keys),
    Page("POST", "/settings/theme", preferences.switch_theme),
    Page("POST", "/settings/keys", preferences.switch_keys),
]


def endpoints() -> Iterator[Endpoint]:
    """Give every page as it stands in the routing table."""
    for one in PAGES:
        yield Endpoint(f"{ENDPOINT_PREFIX}{one.method} {one.path}", one.method, one.path, _view(one), one.open)


def register_pages(app: Flask) -> None:
    """Let `app` answer failures by pages where a person asks, and say to browsers what our pages may do."""
    show_errors_as_pages(app, for_a_person=is_for_a_person, page=error_page)
    app.after_request(_guarded)


def is_for_a_person() -> bool:
    """Whether the request is for a page, or for nothing at all by somebody who would rather read HTML."""
    endpoint = request.endpoint
    if endpoint is not None:
        return endpoint.startswith(ENDPOINT_PREFIX)
    wants_html = "text/html" in request.headers.get("Accept", "")
    return wants_html and not request.path.startswith(("/api/", "/ajax-api/", "/dbfs/"))


def actor_of_browser() -> Actor | None:
    """Return who a page's cookies say is calling; they open pages alone, never the API."""
    if not (request.endpoint or "").startswith(ENDPOINT_PREFIX):
        return None
    found = signed_in()
    return site().identity.actor_of_browser(found) if found else None


def error_page(error: Exception | None, status: int, error_code: str, message: str) -> Response:
    """Return the page of a failure; whoever sent an outdated form gets the token for the next try with it."""
    if status == HTTPStatus.UNAUTHORIZED and request.method == "GET" and "HX-Request" not in request.headers:
        return frame.go(login.login_address())
    answer = frame.error_page(status, error_code, message)
    if isinstance(error, StaleForm):
        answer.headers["X-Form-Token"] = form_token()
    return answer


def _view(one: Page) -> Callable[..., Response]:
    """Return the handler as Flask calls it: forms held to their browser, the work repeated on conflicts."""

    def view(**path_parameters: Any) -> Response:
        if one.method == "POST":
            check_form()
        return repeat_conflicts(lambda: one.handler(**path_parameters))

    return view


def _guarded(answer: Response) -> Response:
    """Say to the browser what a page of ours may do, which is little; other answers say their own."""
    if not (request.endpoint or "").startswith(ENDPOINT_PREFIX) and answer.mimetype != "text/html":
        return answer
    answer.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Referrer-Policy", "same-origin")
    answer.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if not request.path.startswith("/static/"):
        keep_cookies(answer)
    return answer
