"""Measures that want networks of others: their weights are looked for, and never fetched unasked."""
