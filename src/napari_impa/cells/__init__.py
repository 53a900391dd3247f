"""Images to cells and back: reading, segmenting, cutting, pasting, storing, simulating.  No torch here."""
