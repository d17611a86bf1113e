"""The nodes: a schema and one call each. Only ``host`` knows the host."""
