"""What a training takes: time and memory, measured before it begins."""
