"""What a web process runs: the wire dialects and the native API."""
