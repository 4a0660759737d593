"""`pulumi-resource-softlayer`, as the Pulumi engine starts it."""

from infra.plugins.server import Plugin, serve
from infra.plugins.softlayer import security_group, ssh_key, virtual_guest

VERSION = "0.1.0"


def main() -> None:
    """Serve the resources."""
    serve(
        Plugin(
            version=VERSION,
            resources={
                virtual_guest.TOKEN: virtual_guest.VirtualGuest(),
                security_group.TOKEN: security_group.SecurityGroup(),
                ssh_key.TOKEN: ssh_key.SshKey(),
            },
            configure={"acceptSecrets": True, "acceptResources": True, "supportsPreview": True},
        )
    )


if __name__ == "__main__":
    main()
