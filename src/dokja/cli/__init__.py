"""The command line: parses words, reads the clock and the environment, calls, prints.

It is the only place that does. A command lives in the file of its name; one that grows a second
idea hands it to a room below.
"""

from dokja.cli.commands import main

__all__ = ["main"]
