"""sonic-preview: the embedded model, no download, any CPU."""
