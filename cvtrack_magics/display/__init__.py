"""What is shown under a cell: the live plot, its picture and the summary card."""
