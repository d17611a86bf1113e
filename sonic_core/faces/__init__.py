"""Finding a face and cropping it."""
