"""What is measured under a mask, a family of measurements a file: of many crops at once, as CellProfiler defines it."""
