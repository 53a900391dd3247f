"""What docks are built with: jobs, dialogs, rows of a form, plots."""
