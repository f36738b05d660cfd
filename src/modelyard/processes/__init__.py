"""What `modelyard up` starts: the supervisor, its children and the embedded broker."""
