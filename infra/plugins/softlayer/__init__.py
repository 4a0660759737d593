"""Serve IBM Cloud Classic as Pulumi resources: `softlayer:index:VirtualGuest`, `SecurityGroup` and `SshKey`."""
