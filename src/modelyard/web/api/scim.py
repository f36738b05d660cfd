"""Routes by which databricks-sdk, Terraform and identity providers see and change people (SCIM 2.0).

Source: contracts/databricks.md 2.8; the calls of databricks-sdk's `users`, `groups`, `service_principals` and
`current_user`.
"""

from dataclasses import dataclass
from uuid import uuid4

from flask import Response
from sqlmodel import Session

from modelyard.database.session import reading
from modelyard.database.tables import Principal
from modelyard.errors import InvalidValue
from modelyard.registry import groups, users
from modelyard.registry.principals import list_principals, principal_of_id, principal_of_row
from modelyard.rules.principals import PrincipalKind, folded
from modelyard.rules.scim import parse_scim_filter
from modelyard.web.api.answers import Json
from modelyard.web.api.arguments import Arguments, Text, Whole, arguments
from modelyard.web.api.changing import changing_people
from modelyard.web.api.scim_changes import Resource, apply, changes_of_patch, changes_of_resource
from modelyard.web.api.scim_resources import chosen, filter_condition, me_resource, order_column, resources
from modelyard.web.api.service import WORKSPACE_ID
from modelyard.web.identity import current_actor
from modelyard.web.json_answers import json_answer
from modelyard.web.site import site

PAGE_MAXIMUM = 10_000
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


class Shown(Arguments):
    """Which attributes an answer shall have."""

    attributes: Text = ""
    excludedAttributes: Text = ""  # noqa: N815 - here and below the words of SCIM.


class Listed(Shown):
    """What a list is asked for."""

    filter: Text = ""
    startIndex: Whole = 1  # noqa: N815
    count: Whole = 100
    sortBy: Text = ""  # noqa: N815
    sortOrder: Text = "ascending"  # noqa: N815


def me() -> Response:
    """Show the caller."""
    asked = arguments(Shown)
    with reading(site().engine) as session:
        caller = principal_of_row(session, current_actor().principals[0])
        answer = json_answer(chosen(me_resource(session, caller), **_choice(asked)))
    answer.headers["X-Databricks-Org-Id"] = WORKSPACE_ID
    return answer


@dataclass(frozen=True, slots=True)
class Folder:
    """The routes of one kind of principals."""

    kind: PrincipalKind

    def list_all(self) -> Json:
        """List what a filter means; without one, everybody."""
        asked = arguments(Listed)
        alternatives = parse_scim_filter(asked.filter)
        order = order_column(self.kind, asked.sortBy)
        if order is not None and asked.sortOrder.lower() == "descending":
            order = order.desc()
        start, count = max(1, asked.startIndex), max(0, min(asked.count, PAGE_MAXIMUM))
        with reading(site().engine) as session:
            rows, total = list_principals(
                session,
                self.kind,
                *([filter_condition(self.kind, alternatives)] if alternatives else []),
                order=order,
                offset=start - 1,
                limit=count,
            )
            shown = [chosen(one, **_choice(asked)) for one in resources(session, self.kind, rows)]
        return {
            "schemas": [_LIST],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(shown),
            "Resources": shown,
        }

    def create(self) -> Json:
        """Enter somebody."""
        body = arguments(Resource)
        with changing_people() as session:
            principal = self._create(session, body)
            changes = changes_of_resource(self.kind, body)
            changes.shown_name = changes.external_id = None
            apply(session, current_actor(), principal, changes)
            return resources(session, self.kind, [principal])[0]

    def get(self, number: str) -> Json:
        """Show one."""
        asked = arguments(Shown)
        with reading(site().engine) as session:
            principal = principal_of_id(session, self.kind, number)
            return chosen(resources(session, self.kind, [principal])[0], **_choice(asked))

    def replace(self, number: str) -> Json:
        """Make one as the body says."""
        body = arguments(Resource)
        with changing_people() as session:
            principal = principal_of_id(session, self.kind, number, lock=True)
            _check_same_name(principal, body)
            apply(session, current_actor(), principal, changes_of_resource(self.kind, body))
            return resources(session, self.kind, [principal])[0]

    def patch(self, number: str) -> Json:
        """Change parts of one."""
        changes = changes_of_patch(self.kind)
        with changing_people() as session:
            principal = principal_of_id(session, self.kind, number, lock=True)
            apply(session, current_actor(), principal, changes)
            return resources(session, self.kind, [principal])[0]

    def delete(self, number: str) -> Json:
        """Take somebody's rights away for good."""
        with changing_people() as session:
            principal = principal_of_id(session, self.kind, number, lock=True)
            if self.kind is PrincipalKind.GROUP:
                groups.delete_group(session, current_actor(), principal)
            else:
                users.delete_principal(session, current_actor(), principal)
        return {}

    def _create(self, session: Session, body: Resource) -> Principal:
        shown_name, external_id = body.shown_name or "", body.externalId or ""
        match self.kind:
            case PrincipalKind.USER:
                return users.create_user(
                    session,
                    current_actor(),
                    body.userName or "",
                    display_name=shown_name,
                    external_id=external_id,
                )
            case PrincipalKind.SERVICE_PRINCIPAL:
                return users.create_service_principal(
                    session,
                    current_actor(),
                    body.applicationId or str(uuid4()),
                    display_name=shown_name,
                    external_id=external_id,
                )
            case PrincipalKind.GROUP:
                return groups.create_group(session, current_actor(), shown_name, external_id=external_id)


USERS = Folder(PrincipalKind.USER)
GROUPS = Folder(PrincipalKind.GROUP)
SERVICE_PRINCIPALS = Folder(PrincipalKind.SERVICE_PRINCIPAL)


def _choice(asked: Shown) -> dict[str, str]:
    return {"attributes": asked.attributes, "excluded": asked.excludedAttributes}


def _check_same_name(principal: Principal, body: Resource) -> None:
    """Raise InvalidValue when a PUT would give somebody another name, which the history would not know."""
    given = {PrincipalKind.USER: body.userName, PrincipalKind.SERVICE_PRINCIPAL: body.applicationId}.get(
        PrincipalKind(principal.kind)
    )
    if given is not None and folded(given) != principal.folded:
        raise InvalidValue(
            f"The name {principal.name!r} cannot be changed. Create {given[:100]!r}, then delete this one."
        )
