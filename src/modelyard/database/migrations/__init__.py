"""Alembic migrations, applied by `modelyard migrate` and by `modelyard up` on its own home."""
