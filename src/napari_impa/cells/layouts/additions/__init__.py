"""What is added to the entries of a folder once they are known: masks, illumination, centres, stacks taken apart."""
