"""Simulated cells, in which the true counterfactual of every cell is known."""
