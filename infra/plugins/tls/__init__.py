"""The `tls` plugin, for places where the official one can't be had.

Keys, requests and certificates with the tokens, inputs, outputs, ids, secrets, diffs and replacement rules of
pulumi-tls 5.6.2, so that stack state made with one is a no-change preview with the other.
Source: https://www.pulumi.com/registry/packages/tls/api-docs/
"""
