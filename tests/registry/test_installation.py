"""What makes a registry and its database this one."""

import shutil

from modelyard.database.engine import create_engine
from modelyard.registry.installation import database_identity


def test_a_database_is_the_same_however_often_it_is_opened(engine, database_url):
    again = create_engine(database_url)

    assert database_identity(again) == database_identity(engine)
    assert len(database_identity(engine)) == 32

    again.dispose()


def test_a_copied_file_is_another_database(migrated_file, tmp_path):
    copy = shutil.copy(migrated_file, tmp_path / "copy.db")

    assert database_identity(create_engine(f"sqlite:///{migrated_file}")) != database_identity(
        create_engine(f"sqlite:///{copy}")
    )


def test_a_copied_postgresql_database_is_another(postgresql, migrated_database):
    first, second = (postgresql.create_database(template=migrated_database) for _ in range(2))
    engines = [create_engine(postgresql.url(name)) for name in (first, second)]

    assert database_identity(engines[0]) != database_identity(engines[1])

    for engine in engines:
        engine.dispose()
