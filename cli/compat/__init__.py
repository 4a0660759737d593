"""The command line of docker-machine 0.16, spoken by the same program when it is called by that name."""
