"""The command `eventlab`: the lab, the cluster, and what keeps both in order."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from eventlab.cli.parser import parser
from eventlab.errors import EventlabError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it is done, 1 when it cannot be, 2 when it is not one."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except EventlabError as error:
        print(f"eventlab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("eventlab: interrupted; what had been started was ended.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `eventlab logs | head`
        sys.stderr.close()
        return 0
