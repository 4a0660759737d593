"""Serve virtual machines on this computer as Pulumi resources: `hypervisor:index:VirtualMachine`."""
