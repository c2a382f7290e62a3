"""Colours, hatches, dashes and markers: what differs in colour differs in grey print as well.

The colours are Okabe and Ito's, told apart with every common colour blindness
(https://jfly.uni-koeln.de/color/). The face is white on every theme, so ink is dark on each.
"""

from __future__ import annotations

from typing import Any

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
HATCHES = ("", "//", "..", "xx", "\\\\", "++")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#222222"
QUIET = "#6B6B6B"  # 5.3 to 1 on white: still text by WCAG
REST = "#B0B0B0"
WRONG = "#C1121F"  # what Kafka promises not to happen, and only that
FAULT = "#7A4B00"
SMALL = 8.5  # points of type


def fill(place: int) -> dict[str, Any]:
    """Return face and hatch of the n-th thing of a chart; they repeat after 36."""
    turn = place // len(COLOURS)
    return {
        "facecolor": COLOURS[place % len(COLOURS)],
        "hatch": HATCHES[(place + turn) % len(HATCHES)],
        "edgecolor": "white",
    }


def line(place: int) -> dict[str, Any]:
    """Return colour, dash and marker of the n-th line of a chart; they repeat after 36."""
    turn = place // len(COLOURS)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[(place + turn) % len(DASHES)],
        "marker": MARKERS[(place + turn) % len(MARKERS)],
        "markersize": 4,
        "linewidth": 1.6,
    }


def broker(node_id: int) -> dict[str, Any]:
    """Return a broker's face, hatch and label: broker 1 is blue on every chart."""
    if node_id == -1:
        return {"facecolor": REST, "hatch": "", "edgecolor": "white", "label": "no leader"}
    return {**fill((node_id - 1) % 36), "label": f"broker {node_id}"}
