"""How the sync network learns to tell whether a mouth and a sound belong together, from no video at all."""
