"""What a user does, without a window: the same for dock, command line and script."""
