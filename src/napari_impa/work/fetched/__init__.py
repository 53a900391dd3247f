"""What is fetched when it is asked for: models, and weights of feature spaces."""
