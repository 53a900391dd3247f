"""What is in the wells of a plate: the plate map that says it, and a picture of each plate."""
