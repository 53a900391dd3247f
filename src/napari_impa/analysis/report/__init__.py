"""The report of an evaluation: one HTML file that a biologist can read, keep and send, with its numbers beside."""
