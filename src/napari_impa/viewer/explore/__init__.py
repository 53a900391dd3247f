"""The Explore dock: a map of cells and conditions, a ranking, what did this, and screens."""
