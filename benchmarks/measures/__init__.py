"""What is measured: one file for each question, each with a function `measure`."""
