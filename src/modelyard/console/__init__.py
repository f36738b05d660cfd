"""What people ask at a terminal: the jobs and schedules of a server, and the doctor's look at database and store."""
