"""What is measured of predictions, one file a metric."""
