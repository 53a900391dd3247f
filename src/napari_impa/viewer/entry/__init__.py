"""What the manifest names: readers, samples, the demo."""
