"""Pictures of cells for a person to judge by."""
