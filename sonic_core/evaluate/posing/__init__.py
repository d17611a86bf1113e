"""How a portrait does as sonic-preview's sitter: in the poses that are hard, saying something, holding a note."""
