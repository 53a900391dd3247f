"""Speed and memory, each as a ratio of two things measured alternately in one run: `python -m benchmarks --help`."""
