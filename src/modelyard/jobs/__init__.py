"""The queue: rows are the truth, Celery messages only wake a worker."""
