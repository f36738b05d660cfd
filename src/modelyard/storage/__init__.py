"""Bytes: sources opened as trees of files, managed stores, copying with digests. Knows no database."""
