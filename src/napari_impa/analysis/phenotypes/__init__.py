"""How far conditions move cells, by which measurements, what that is like, and what did it to given cells."""
