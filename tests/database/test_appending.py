"""Rows that are written at the end of their transaction, on both databases."""

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DBAPIError

from modelyard.database.appending import append, write_appended
from modelyard.database.session import reading, transaction
from modelyard.database.tables import FormerName, RegisteredModel, metadata

TAGS = metadata.tables["registered_model_tags"]
OUTBOX = metadata.tables["outbox_events"]
AUDIT = metadata.tables["audit_log"]
FORMER_NAMES = metadata.tables["former_names"]


def new_model(session):
    model = RegisteredModel(name="m", created_by="ann")
    session.add(model)
    session.flush()
    return model.id


def tag(model_id, key, value="v"):
    return {"model_id": model_id, "key": key, "value": value}


def told(word, **columns):
    row = {"event": word, "model_id": 1, "version_id": None, "actor": "ann", "payload": {"word": word}, "job_id": None}
    return row | columns


def noted(action, before=None):
    return {"actor": "ann", "address": "", "request_id": "", "action": action, "before": before, "after": {"k": [1]}}


def keys(engine):
    with reading(engine) as session:
        return list(session.scalars(select(TAGS.c.key).order_by(TAGS.c.id)))


@pytest.mark.parametrize("count", [1, 2, 8, 9, 40])
def test_rows_of_a_table_keep_their_order(engine, count):
    with transaction(engine) as session:
        model_id = new_model(session)
        for number in range(count):
            append(session, OUTBOX, told(f"E{number}"))
            append(session, TAGS, tag(model_id, f"k{count - number}"))

    assert keys(engine) == [f"k{count - number}" for number in range(count)]
    with reading(engine) as session:
        words = session.execute(select(OUTBOX.c.event, OUTBOX.c.payload).order_by(OUTBOX.c.id)).all()
    assert words == [(f"E{number}", {"word": f"E{number}"}) for number in range(count)]


def test_rows_of_a_table_keep_their_order_when_their_columns_differ(engine):
    with transaction(engine) as session:
        append(session, OUTBOX, told("first"))
        append(session, AUDIT, noted("a"))
        append(session, OUTBOX, told("second", created_at_ms=5))
        append(session, OUTBOX, told("third"))

    with reading(engine) as session:
        found = session.execute(select(OUTBOX.c.event, OUTBOX.c.created_at_ms).order_by(OUTBOX.c.id)).all()
    assert [word for word, _ in found] == ["first", "second", "third"]
    assert found[1].created_at_ms == 5
    assert found[0].created_at_ms > 1_600_000_000_000


def test_nothing_is_the_same_as_where_rows_are_written_by_themselves(engine):
    with transaction(engine) as session:
        append(session, AUDIT, noted("gathered"))
        append(session, AUDIT, noted("gathered", before={"ä": None}))
        session.connection().execute(AUDIT.insert(), [noted("alone"), noted("alone", before={"ä": None})])

    with reading(engine) as session:
        rows = session.execute(
            select(AUDIT.c.action, AUDIT.c.before, AUDIT.c.before.is_(None), AUDIT.c.after, AUDIT.c.version)
        ).all()
    gathered, alone = ([row[1:] for row in rows if row[0] == action] for action in ("gathered", "alone"))
    assert sorted(gathered, key=str) == sorted(alone, key=str)


def test_a_row_that_is_there_stays_if_so_wanted(engine):
    with transaction(engine) as session:
        model_id = new_model(session)
        append(session, TAGS, tag(model_id, "k", "first"), unless_there=True)
        append(session, TAGS, tag(model_id, "k", "second"), unless_there=True)

    with reading(engine) as session:
        assert session.scalars(select(TAGS.c.value)).all() == ["first"]


def test_a_row_that_breaks_a_rule_is_the_databases_error_and_nothing_is_written(engine):
    def write() -> None:
        with transaction(engine) as session:
            model_id = new_model(session)
            append(session, TAGS, tag(model_id, "k"))
            append(session, TAGS, tag(model_id, "k"))

    with pytest.raises(DBAPIError):
        write()
    assert keys(engine) == []


def test_what_a_savepoint_takes_back_is_not_written(engine):
    def fail(session, model_id):
        with session.begin_nested():
            append(session, TAGS, tag(model_id, "lost"))
            raise KeyError

    with transaction(engine) as session:
        model_id = new_model(session)
        append(session, TAGS, tag(model_id, "before"))
        with pytest.raises(KeyError):
            fail(session, model_id)
        with session.begin_nested():
            append(session, TAGS, tag(model_id, "kept"))

    assert sorted(keys(engine)) == ["before", "kept"]


def test_a_transaction_that_was_rolled_back_by_hand_writes_nothing(engine):
    with transaction(engine) as session:
        append(session, TAGS, tag(new_model(session), "k"))
        session.rollback()

    assert keys(engine) == []


def test_whoever_needs_the_rows_earlier_says_so(engine):
    with transaction(engine) as session:
        append(session, TAGS, tag(new_model(session), "k"))
        write_appended(session)
        assert session.scalars(select(TAGS.c.key)).all() == ["k"]

    assert keys(engine) == ["k"]


def test_objects_of_the_session_are_written_first(engine):
    with transaction(engine) as session:
        model_id = new_model(session)
        session.add(FormerName(model_id=model_id, name="object"))
        append(session, FORMER_NAMES, {"model_id": model_id, "name": "row"})

    with reading(engine) as session:
        names = session.scalars(select(FORMER_NAMES.c.name).order_by(FORMER_NAMES.c.id)).all()
    assert names == ["object", "row"]


def test_postgresql_gets_rows_of_several_tables_in_one_statement(engine):
    sent = []
    event.listen(engine, "before_cursor_execute", lambda *given: sent.append(given[2]))

    with transaction(engine) as session:
        for _ in range(2):
            append(session, OUTBOX, told("e"))
            append(session, AUDIT, noted("a"))

    inserts = [statement for statement in sent if "INSERT" in statement]
    assert len(inserts) == (1 if engine.dialect.name == "postgresql" else 2)


def test_the_clock_of_a_test_moves_the_times_of_appended_rows_too(engine, set_clock):
    with transaction(engine) as session:
        append(session, OUTBOX, told("now"))
    set_clock(3_600_000)
    with transaction(engine) as session:
        append(session, OUTBOX, told("later"))

    with reading(engine) as session:
        now, later = session.scalars(select(OUTBOX.c.created_at_ms).order_by(OUTBOX.c.id))
    assert 3_600_000 <= later - now < 3_700_000
