"""An administrator enters people with databricks-sdk: users, groups, service principals, tokens.

Standard input: JSON with `host` and `token`. Standard output: JSON with what the client objects say.
"""

import json
import sys
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import iam


def refused(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except DatabricksError as error:
        return type(error).__name__
    return "allowed"


def refused_soon(call):
    """How a call is refused once every server process has heard of what changed."""
    deadline = time.monotonic() + 90
    while (answer := refused(call)) == "allowed" and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def main():
    given = json.load(sys.stdin)
    admin = WorkspaceClient(host=given["host"], token=given["token"])
    told, no = {}, {}

    # Users.
    ann = admin.users.create(user_name="ann@example.org", display_name="Ann", active=True)
    told["created"] = [ann.user_name, ann.display_name, ann.active]
    told["got"] = admin.users.get(ann.id).user_name
    told["found"] = [user.user_name for user in admin.users.list(filter='userName eq "ann@example.org"')]
    admin.users.update(ann.id, user_name="ann@example.org", display_name="Ann A.", active=True)
    told["updated"] = admin.users.get(ann.id).display_name
    no["twice"] = refused(admin.users.create, user_name="ANN@example.org")
    no["unknown"] = refused(admin.users.get, "999999")

    # Groups and who is in them.
    group = admin.groups.create(display_name="risk", members=[iam.ComplexValue(value=ann.id)])
    told["group"] = [group.display_name, [member.display for member in admin.groups.get(group.id).members]]
    told["ann's groups"] = [one.display for one in admin.users.get(ann.id).groups]
    schemas = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
    away = iam.Patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{ann.id}"]')
    admin.groups.patch(group.id, operations=[away], schemas=schemas)
    told["members afterwards"] = len(admin.groups.get(group.id).members or [])
    told["groups"] = sorted(one.display_name for one in admin.groups.list())

    # A program with a token of its own.
    program = admin.service_principals.create(display_name="ci", active=True)
    told["program found"] = [one.display_name for one in admin.service_principals.list()]
    made = admin.token_management.create_obo_token(program.application_id, lifetime_seconds=3600, comment="pipeline")
    ci = WorkspaceClient(host=given["host"], token=made.token_value)
    told["program is"] = ci.current_user.me().user_name == program.application_id
    no["program enters people"] = refused(ci.users.create, user_name="eve@example.org")
    no["program lists everybody's tokens"] = refused(lambda: list(ci.token_management.list()))

    # It makes a token for itself, uses it and takes it back.
    own = ci.tokens.create(comment="short", lifetime_seconds=600)
    short = WorkspaceClient(host=given["host"], token=own.token_value)
    told["by its own token"] = short.current_user.me().user_name == program.application_id
    told["its tokens"] = sorted(token.comment for token in ci.tokens.list())
    ci.tokens.delete(own.token_info.token_id)
    no["a revoked token"] = refused_soon(short.current_user.me)
    told["all tokens of it"] = [
        token.comment for token in admin.token_management.list(created_by_username=program.application_id)
    ]
    admin.token_management.delete(made.token_info.token_id)
    no["a token that was taken away"] = refused_soon(ci.current_user.me)

    # Away with them.
    admin.users.patch(
        ann.id, operations=[iam.Patch(op=iam.PatchOp.REPLACE, path="active", value="false")], schemas=schemas
    )
    told["active"] = admin.users.get(ann.id).active
    admin.users.delete(ann.id)
    admin.groups.delete(group.id)
    admin.service_principals.delete(program.id)
    told["left"] = [
        [user.user_name for user in admin.users.list(filter='userName co "example.org"')],
        [one.display_name for one in admin.groups.list()],
        [one.display_name for one in admin.service_principals.list()],
    ]
    print(json.dumps({"told": told, "no": no}))


main()
