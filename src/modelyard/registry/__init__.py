"""The use-cases, one module a noun; each runs in a transaction that its caller opened."""
