"""The work of `note_expiring_tokens`: names what ends soon, with its owner and the days that are left."""

import pytest
from sqlalchemy import select

from modelyard.database.session import current_ms, transaction
from modelyard.database.tables import Principal, Token, metadata
from modelyard.rules.jobs import JobKind
from tests.worker.conftest import DAY_MS, House

job_log = metadata.tables["job_log"]


def enter_token(house: House, owner: str, *, left_ms: int, comment: str = "") -> None:
    """Enter a person with a token that was made for a month and has so much of it left."""
    with transaction(house.engine) as session:
        person = Principal(kind="user", name=owner, folded=owner, created_by="ann")
        session.add(person)
        session.flush()
        expires_at_ms = current_ms(session) + left_ms
        row = {"public_id": owner.ljust(16, "0"), "digest": "0" * 64, "scope": "write", "created_by": "ann"}
        made_at_ms = expires_at_ms - 30 * DAY_MS
        session.add(
            Token(**row, principal_id=person.id, comment=comment, created_at_ms=made_at_ms, expires_at_ms=expires_at_ms)
        )


@pytest.mark.parametrize(
    ("left_days", "said"),
    [(0.5, "expires today"), (1.5, "expires tomorrow"), (6.5, "expires in 6 days")],
)
def test_a_token_that_ends_soon_is_named_with_what_it_has_left(house, left_days, said):
    enter_token(house, "bob", left_ms=int(left_days * DAY_MS), comment="nightly")

    job = house.do(JobKind.NOTE_EXPIRING_TOKENS)

    with transaction(house.engine) as session:
        lines = session.execute(select(job_log.c.level, job_log.c.line).order_by(job_log.c.id)).all()
    assert ("warning", f"Token bob0000000000000 (nightly) of bob {said}.") in [tuple(line) for line in lines]
    assert (job.status, job.items_done, job.items_total) == ("SUCCEEDED", 1, 1)


def test_without_such_a_token_nobody_is_named(house):
    enter_token(house, "bob", left_ms=8 * DAY_MS)

    job = house.do(JobKind.NOTE_EXPIRING_TOKENS)

    with transaction(house.engine) as session:
        assert "warning" not in session.scalars(select(job_log.c.level)).all()
    assert (job.status, job.items_total) == ("SUCCEEDED", 0)
