"""The mctl command line: options in, text out."""
