"""Any talking videos become a set to learn from: ``python -m sonic_core learn data``; docs/learning.md."""
