"""The person of a video says another sound: mouth, jaw and lower cheeks are drawn anew in every frame."""
