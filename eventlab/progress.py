"""One line on a terminal, or in a cell, for whatever takes more than two seconds."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_AFTER = 2.0  # seconds: what is over sooner needs no bar


class Progress:
    """A bar that shows the share done, the amount and the time left; silent while it is quick."""

    def __init__(self, what: str, unit: str = "", stream: TextIO | None = None) -> None:
        self.what, self.unit = what, unit
        in_notebook = _in_notebook()
        # In a notebook what stderr says looks like an error, and "\\r" goes back as on a terminal.
        self.stream = stream or (sys.stdout if in_notebook else sys.stderr)
        self._redraws = in_notebook or self.stream.isatty()
        self._start = self._shown = time.monotonic()
        self._drawn = self._full = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close("given up after" if kind else "done in")

    def __call__(self, done: float, total: float) -> None:
        """Draw the bar, at most ten times a second."""
        now = time.monotonic()
        if now - self._start < _AFTER or (now - self._shown < 0.1 and done < total):
            return
        if not self._redraws and self._drawn and (done < total or self._full):
            return  # a file or a pipe wants a line at the start and one at the end
        self._shown, self._drawn, self._full = now, True, done >= total
        self._write(self._text(done, total, now - self._start))

    def close(self, ending: str = "done in") -> None:
        """End the line."""
        if self._drawn:
            self._write(f"{self.what}: {ending} {time.monotonic() - self._start:.0f} s")
            self.stream.write("\n" if self._redraws else "")
            self.stream.flush()

    def _text(self, done: float, total: float, spent: float) -> str:
        share = min(1.0, done / total) if total else 0.0
        bar = ("#" * round(20 * share)).ljust(20, ".")
        left = f"about {spent / share - spent:.0f} s left" if share > 0.02 else ""
        return f"{self.what}: [{bar}] {done:.0f} of {total:.0f} {self.unit} {left}"

    def _write(self, text: str) -> None:
        ends = ("\r", "") if self._redraws else ("", "\n")
        self.stream.write(ends[0] + text.rstrip().ljust(78) + ends[1])
        self.stream.flush()


def _in_notebook() -> bool:
    """Say whether this code runs in a Jupyter kernel, without importing IPython to find out."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")
