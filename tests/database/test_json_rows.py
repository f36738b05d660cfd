"""Rows handed over as one JSON text, on both databases."""

import pytest
from sqlalchemy import Engine, select

from modelyard.database.json_rows import JsonRows, written
from modelyard.database.session import autocommit

ROWS = [("plain", 1), ('"quotes" and \\ and \'', 0), ("naïve — ☃", 2**53 + 1), ("", -5), ("[0]", 7)]


@pytest.mark.parametrize("given", [ROWS, ROWS[:1], []], ids=["many", "one", "none"])
def test_what_is_handed_over_arrives(engine: Engine, given: list[tuple[str, int]]) -> None:
    rows = JsonRows()

    with autocommit(engine) as connection:
        statement = select(rows.text(0), rows.number(1)).select_from(rows.table)
        found = connection.execute(statement, {"rows": written(given)}).all()

    assert [tuple(row) for row in found] == given


def test_a_statement_is_the_same_for_any_number_of_rows(engine: Engine) -> None:
    rows = JsonRows()
    statement = select(rows.text(0)).select_from(rows.table).order_by(rows.text(0))

    with autocommit(engine) as connection:
        few = connection.execute(statement, {"rows": written([("a",)])})
        many = connection.execute(statement, {"rows": written((f"{number:04}",) for number in range(3000))})

        assert few.context.compiled is many.context.compiled
        assert many.scalars().all() == [f"{number:04}" for number in range(3000)]
