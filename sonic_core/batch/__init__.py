"""Many talking videos from one list: read, checked, made once each, and told of."""
