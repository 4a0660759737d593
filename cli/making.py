"""What `create` does once it knows what is asked for: make one machine, or a group."""

from __future__ import annotations

import typer

from cli.output import say
from cli.progress import progress
from infra.errors import Interrupted, MctlError, StackError, UsageError
from infra.machine import MachineSpec, SwarmSpec

FORWARD = (
    "It needs a route to the machine; without one, forward the port: mctl ssh {0} -N -L 2376:localhost:2376, "
    "and set DOCKER_HOST=tcp://localhost:2376 after mctl env {0}"
)


def make_group(spec: MachineSpec, count: int, stack: str, swarm: SwarmSpec | None, *, destroy: bool) -> None:
    """Make a group of machines, and say how one is reached. destroy: what was made, if it fails. Raises MctlError."""
    from cli import fleet
    from infra.stacks import fleets

    if count < 1:
        raise UsageError("--count takes a whole number from 1")
    again = f"mctl create {spec.name} --count {count} … once more goes on from here; mctl rm {spec.name} clears it"
    with progress() as report:
        declared = fleets.declare(spec, count, stack, report, swarm)
    failed = fleet.bring(declared, again)
    if failed and destroy and not isinstance(failed, Interrupted):
        say("Error", failed.message, None)
        raise fleet.remove(spec.name) or MctlError(f"all of {spec.name} was removed again")
    if failed:
        raise failed
    typer.echo(f"Docker is up and running on {count} machine{'' if count == 1 else 's'} of {spec.name}")
    typer.echo(f"To see how to connect your Docker client to one, run: mctl env {spec.name}-1", err=True)


def make(spec: MachineSpec, stack: str, swarm: SwarmSpec | None, *, destroy: bool) -> None:
    """Make a machine, and say how it is reached. destroy: what was made, where making fails. Raises MctlError."""
    from infra.stacks import checks, machines

    with progress() as report:
        try:
            made = machines.create(spec, stack, report, swarm)
        except StackError as error:
            if not destroy:
                raise
            machines.remove(spec.name, report)
            raise StackError(f"{error.message}; what was made is removed again", machine=error.machine) from None
        checks.tell(spec.name, report)
    phases = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in made.phases.items())
    version = made.record.engine_version
    if not version:
        typer.echo(f"{spec.name} stands for {made.record.docker_url}, which was not asked")
        return
    typer.echo(f"Docker {version} is up and running on {spec.name}" + (f" ({phases})" if phases else ""))
    typer.echo(f"To see how to connect your Docker client to it, run: mctl env {spec.name}", err=True)
    if made.record.ssh_proxy_jump:
        typer.echo(FORWARD.format(spec.name), err=True)
