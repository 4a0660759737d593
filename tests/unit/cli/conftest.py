from tests.cli_runner import mctl, mctl_home

__all__ = ["mctl", "mctl_home"]
