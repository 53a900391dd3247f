"""The authors' checkpoints."""
