"""Models and samples that a dock offers."""
