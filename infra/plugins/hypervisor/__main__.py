"""`pulumi-resource-hypervisor`, as the Pulumi engine starts it."""

from infra.plugins.hypervisor.virtual_machine import TOKEN, VERSION, VirtualMachine
from infra.plugins.server import Plugin, serve


def main() -> None:
    """Serve VirtualMachine."""
    serve(
        Plugin(
            version=VERSION,
            resources={TOKEN: VirtualMachine()},
            configure={"acceptSecrets": True, "acceptResources": True, "supportsPreview": True},
        )
    )


if __name__ == "__main__":
    main()
