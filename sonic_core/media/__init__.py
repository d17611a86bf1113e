"""Files to tensors and back: pictures, sounds, videos."""
