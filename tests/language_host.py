"""A small stand-in for Pulumi's Python language host, for places where the official one can't be had.

Run as `pulumi-language-python ENGINE_ADDRESS`; `install` writes such an executable into a folder for PATH.
Source: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/language.proto
"""

from __future__ import annotations

import os
import runpy
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer
from pulumi.runtime import settings
from pulumi.runtime.proto import language_pb2, language_pb2_grpc


def install(folder: Path) -> None:
    """Write a `pulumi-language-python` that runs this module."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "pulumi-language-python"
    root = Path(__file__).parent.parent
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m tests.language_host "$@"\n')
    program.chmod(0o755)


class Host(LanguageServer):
    """Run the project's `main` in this process."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        main = Path(request.info.program_directory or request.pwd, request.info.entry_point or ".")
        os.chdir(request.pwd)

        def program() -> None:
            settings.SETTINGS.root_directory = request.info.root_directory
            runpy.run_path(str(main / "__main__.py" if main.is_dir() else main), run_name="__main__")

        self.program = program
        return super().Run(request, context)  # type: ignore[no-untyped-call]

    def InstallDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        yield from ()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.GetProgramDependenciesResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


def main() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
