"""The resource plugins that mctl serves itself; each is a package with a `main()`."""
