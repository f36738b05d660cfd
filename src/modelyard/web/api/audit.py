"""Routes of the audit log in the native API."""

import json
from typing import Annotated, Any, NotRequired

from flask import Response
from pydantic import Field

# pydantic reads `typing.TypedDict` from Python 3.12 on only.
from typing_extensions import TypedDict

from modelyard.database.session import reading
from modelyard.database.tables import AuditEntry
from modelyard.registry import audit_log as registry
from modelyard.registry.audit_log import AuditFilter
from modelyard.rules.audit import Action
from modelyard.rules.versions import MAX_VERSION
from modelyard.web.api.arguments import Required, StrictArguments, Text, Whole
from modelyard.web.api.paging import question_of
from modelyard.web.api.route import Texts
from modelyard.web.identity import current_actor
from modelyard.web.site import site

MAX_ID = 10**18 - 1
MAX_TIME_MS = 10**15

Time = Annotated[Whole, Field(ge=0, le=MAX_TIME_MS)]
Known = Annotated[Action, Field(strict=False)]


class AuditAnswer(TypedDict):
    """A change, and who made it."""

    id: int
    at_ms: int
    actor: Annotated[str, Field(description="Who made the change.")]
    token_id: Annotated[str | None, Field(description="By which token, if by one.")]
    address: Annotated[str, Field(description="From where; of what a job did, the job.")]
    request_id: Annotated[str, Field(description="The X-Request-Id of the request that made it.")]
    action: str
    model: Annotated[str | None, Field(description="The model's name at that time.")]
    version: int | None
    principal: Annotated[str | None, Field(description="The user, group or token that the change was about.")]
    before: Annotated[dict[str, Any] | None, Field(description="The fields that differ, as they were.")]
    after: Annotated[dict[str, Any] | None, Field(description="The fields that differ, as they are.")]


class AuditPage(TypedDict):
    """A page of the audit log, newest first."""

    entries: list[AuditAnswer]
    next_page_token: NotRequired[str]


ExportAnswer = Annotated[
    Response,
    Texts(
        {"application/x-ndjson": AuditAnswer},
        headers={"X-Next-Offset": "Give it as `after` to read on; the export is complete when nothing more comes."},
    ),
]


class MeantEntries(StrictArguments):
    """Which entries are meant; what is left out tells nothing apart. The ends of a span of time are left out of it."""

    model: Required | None = Field(None, description="Name of a registered model.", examples=["house-prices"])
    version: Annotated[Whole, Field(ge=1, le=MAX_VERSION)] | None = Field(None, examples=[3])
    actor: Required | None = Field(None, description="Who made the change.", examples=["ann@example.com"])
    action: list[Known] = Field(default_factory=list, examples=[["transitionModelVersionStage"]])
    principal: Required | None = Field(
        None, description="Whom a change was about, with its kind.", examples=["user:ann@example.com"]
    )
    token_id: Required | None = Field(None, examples=["0123456789abcdef"])
    request_id: Required | None = Field(None, examples=["4f1c"])
    after_ms: Time | None = Field(None, examples=[1764090000000])
    before_ms: Time | None = Field(None, examples=[1764093600000])

    def filter(self) -> AuditFilter:
        """Return what is meant, without a second meaning for another order of actions."""
        return AuditFilter(
            model=self.model,
            version=self.version,
            actor=self.actor,
            actions=tuple(sorted(set(self.action))),
            principal=self.principal,
            token_id=self.token_id,
            request_id=self.request_id,
            after_ms=self.after_ms,
            before_ms=self.before_ms,
        )


class ListEntries(MeantEntries):
    """What a page of the log is asked for."""

    max_results: Annotated[Whole, Field(ge=1, le=1000)] = Field(100, examples=[100])
    page_token: Text = Field("", description="The next_page_token of the page before.")


class ExportEntries(MeantEntries):
    """What a piece of the log is asked for."""

    after: Annotated[Whole, Field(ge=0, le=MAX_ID)] = Field(
        0, description="The X-Next-Offset of the answer before.", examples=[0]
    )
    max_results: Annotated[Whole, Field(ge=1, le=10_000)] = Field(1000, examples=[1000])


def list_entries(asked: ListEntries) -> AuditPage:
    """List changes, newest first: all of them to administrators, to others those of models that they manage."""
    wanted = asked.filter()
    question = question_of("audit", wanted)
    before_id = site().signer.open_page(asked.page_token, question)[0] if asked.page_token else None
    with reading(site().engine) as session:
        page = registry.newest_entries(session, current_actor(), wanted, limit=asked.max_results, before_id=before_id)
        shown = [entry_answer(entry) for entry in page.rows]
    if page.last is None:
        return {"entries": shown}
    return {"entries": shown, "next_page_token": site().signer.sign_page(question, page.last)}


def export(asked: ExportEntries) -> ExportAnswer:
    """Export changes, oldest first, a JSON object on each line; piece by piece, so that none is missed unnoticed."""
    with reading(site().engine) as session:
        found = registry.entries_after(
            session, current_actor(), asked.filter(), after=asked.after, limit=asked.max_results
        )
        lines = [json_line(entry) for entry in found]
    answer = Response("".join(lines), mimetype="application/x-ndjson")
    answer.headers["X-Next-Offset"] = str(found[-1].id if found else asked.after)
    return answer


def entry_answer(entry: AuditEntry) -> AuditAnswer:
    """Return an entry as the native API shows it."""
    return {
        "id": entry.id,
        "at_ms": entry.at_ms,
        "actor": entry.actor,
        "token_id": entry.token_id,
        "address": entry.address,
        "request_id": entry.request_id,
        "action": entry.action,
        "model": entry.model_name,
        "version": entry.version,
        "principal": entry.principal,
        "before": entry.before,
        "after": entry.after,
    }


def json_line(entry: AuditEntry) -> str:
    """Return an entry as a line of an export."""
    return json.dumps(entry_answer(entry), ensure_ascii=False) + "\n"
