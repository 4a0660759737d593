"""Stacks: what is declared, what was made, and the one gate to the Pulumi engine."""
