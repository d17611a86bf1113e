"""How the networks of sonic-base are computed in little memory, and quickly: their forms, pieces and levers."""
