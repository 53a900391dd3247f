"""What a prediction says: features of cells, scores beside the untreated control, and pictures to judge by eye."""
