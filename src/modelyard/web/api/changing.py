"""Transactions that change who may come in, or see everything: what this process believes of callers ends with them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import Session

from modelyard.database.session import after_commit, transaction
from modelyard.web.site import site


@contextmanager
def changing_people() -> Iterator[Session]:
    """Open a writing transaction after whose commit every caller is looked up anew."""
    with transaction(site().engine) as session:
        after_commit(session, site().identity.forget_all)
        yield session
