"""What is compared: cells of a condition, predicted and real, as metrics and reports are given them."""
