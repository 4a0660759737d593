"""Pulumi components: what a machine is made of."""
