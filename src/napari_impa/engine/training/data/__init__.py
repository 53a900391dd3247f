"""The cells of a training: who is what, and batches of them."""
