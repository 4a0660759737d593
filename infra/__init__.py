"""Everything that knows what a machine is: no command line, no printing."""
