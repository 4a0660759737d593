"""The resource plugins that mctl serves itself; each is a package with a `main()`."""

SHARED = "--shared"  # in place of an engine's address: serve every engine that attaches itself
