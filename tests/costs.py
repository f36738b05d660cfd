"""What a statement costs, counted and not timed: steps of SQLite's machine, pages that PostgreSQL looks at."""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, event

from modelyard.database.session import autocommit

Question = Callable[[Connection], Any]


def plan_of(engine: Engine, question: Question) -> list[str]:
    """Return the lines of the plan by which a question's one statement is answered."""
    seen: list[tuple[str, Any]] = []
    with autocommit(engine) as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
        question(connection)
        ((statement, values),) = seen
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN (ANALYZE, BUFFERS)"
        return [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", values)]


def cost(engine: Engine, question: Question) -> int:
    """Return how much the database does for a question."""
    if engine.dialect.name == "postgresql":
        first = next(line for line in plan_of(engine, question) if "Buffers:" in line)
        return sum(int(pages) for pages in re.findall(r"(?:hit|read)=(\d+)", first))
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with autocommit(engine) as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.set_progress_handler(count, 1)
        question(connection)
        driver.set_progress_handler(None, 1)
    return steps
