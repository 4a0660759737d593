"""Record a terminal run as a picture: run each command line for real and draw what it printed as an SVG.

    python tools/record.py docs/images/create.svg 'mctl create web-1' 'mctl ls'

Lines of progress are left out, as they are on a terminal when all is done. Markdown is drawn as a forge shows it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

WIDTH = 100
# The page is to be read with no network, in a typeface that is there.
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
FONT = re.compile(r"Fira Code")


def main() -> int:
    """Run what is asked for, draw it, and stop at the first failure."""
    target, *lines = sys.argv[1:]
    console = Console(record=True, width=WIDTH, file=StringIO())
    for line in lines:
        console.print(Text.assemble(("$ ", "bold green"), line))
        ran = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - as typed
        if ran.returncode:
            sys.stderr.write(ran.stdout + ran.stderr)
            return ran.returncode
        console.print(Markdown(ran.stdout) if line.endswith("--markdown") else Text(ran.stdout.rstrip("\n")))
    picture = console.export_svg(title="mctl", unique_id="terminal")
    Path(target).write_text(FONT.sub("monospace", FONT_FACE.sub("", picture)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
