"""What prediction needs: networks, conditions, intensities, and the file they are kept in."""
