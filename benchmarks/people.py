"""Users, groups, tokens and permissions, written straight into a seeded database: a company before one registry.

The groups are in divisions of ten. The groups of a division share all models out among themselves, so that whoever is
in a division, which is in all ten, may manage every model: answers are as long as without authorization, and none of it
is owed to the root. What is left of the permissions goes to groups that nobody is in.
"""

import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, insert, select, text

from modelyard.database.tables import Grant, GroupMember, Principal, RegisteredModel, Token, public_id
from modelyard.rules.tokens import DAY_S, digest_of, write_token

USERS = 1000
GROUPS = 200
GRANTS = 10_000
A_DIVISION = 10
FIRST_ID = 100


def seed_people(engine: Engine) -> list[str]:
    """Enter everybody; return the users' tokens."""
    with engine.begin() as connection:
        models = list(connection.scalars(select(RegisteredModel.id).order_by(RegisteredModel.id)))
        groups = range(FIRST_ID, FIRST_ID + GROUPS)
        users = range(FIRST_ID + GROUPS, FIRST_ID + GROUPS + USERS)
        divisions = min(GRANTS // len(models), GROUPS // A_DIVISION)
        _insert(connection, Principal, [_principal(number, "group") for number in groups])
        _insert(connection, Principal, [_principal(number, "user") for number in users])
        _insert(
            connection,
            GroupMember,
            [
                {"group_id": groups[user % divisions * A_DIVISION + number], "member_id": user}
                for user in users
                for number in range(A_DIVISION)
            ],
        )
        grants = [
            (groups[division * A_DIVISION + place % A_DIVISION], model)
            for division in range(divisions)
            for place, model in enumerate(models)
        ]
        others = ((group, model) for group in groups[divisions * A_DIVISION :] for model in models)
        grants += [grant for grant, _ in zip(others, range(GRANTS - len(grants)), strict=False)]
        _insert(
            connection,
            Grant,
            [{"principal_id": group, "model_id": model, "level": "CAN_MANAGE"} for group, model in grants],
        )
        tokens = {user: write_token(public_id()[:16], secrets.token_urlsafe(32)) for user in users}
        _insert(connection, Token, [_token(user, token) for user, token in tokens.items()])
        if engine.dialect.name == "postgresql":
            last = users[-1]
            connection.execute(select(func.setval(func.pg_get_serial_sequence("principals", "id"), last)))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return list(tokens.values())


def _principal(number: int, kind: str) -> dict[str, Any]:
    name = f"{kind}-{number}"
    return {"id": number, "kind": kind, "name": name, "folded": name, "created_by": "bench"}


def _token(user: int, token: str) -> dict[str, Any]:
    return {
        "public_id": token.split("_")[1],
        "digest": digest_of(token),
        "principal_id": user,
        "scope": "write",
        "created_by": "bench",
        "expires_at_ms": int(time.time() + DAY_S) * 1000,
        # The use of a token is written down once an hour: not in these minutes.
        "last_used_at_ms": int(time.time()) * 1000,
    }


def _insert(connection: Any, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table.__table__), rows)
