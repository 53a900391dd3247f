"""How a model learns: settings, steps, and the loop that makes them."""
