"""The folder of a training: what it keeps, and what is read from it."""
