"""What Pulumi starts where a program in another language uses the package."""

from pulumi.provider.experimental import component_provider_host

from infra.package import NAME, VERSION, Machine


def main() -> None:
    """Serve the package until the engine ends it."""
    component_provider_host([Machine], NAME, version=VERSION)


if __name__ == "__main__":
    main()
