"""Tables, engine, transactions: everything that knows SQL dialects."""
