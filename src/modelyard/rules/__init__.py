"""Pure rules: who may do what, which stages exist, which status follows which. No I/O."""
