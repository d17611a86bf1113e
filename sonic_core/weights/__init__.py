"""Which weights exist, where they are looked for, how they get there."""
