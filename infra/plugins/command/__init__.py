"""The `command` package, served where the official plugin can't be had: commands here and on hosts, and copies."""
