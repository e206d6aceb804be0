"""The measurements: one file for each, with a function `measure`."""
