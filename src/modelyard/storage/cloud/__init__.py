"""Buckets of S3, Google Cloud Storage and Azure: as managed stores and as sources. Needs the extra `cloud`.

Nothing here is imported by a process that has no use for it: runtime.py loads these modules by name.
"""
