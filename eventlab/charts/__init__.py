"""Charts of what a cluster and its clients do: a DataFrame in, matplotlib `Axes` out.

    axes = charts.lag(history)       # as the last line of a cell it shows itself
    charts.describe(axes)            # the same in a paragraph; `.table` has the numbers

Charts know nothing of Kafka beyond the names of columns. Time is a column `time` in UTC, and
`faults=` a frame of start, end, fault and target that is shaded on each chart of time. They use no
pyplot, hence keep no state between cells; the face is white on every theme, colours are Okabe and
Ito's, and hatches, dashes and markers tell apart what grey print would not. What is too much to be
drawn is left out where it hides nothing: the least, the most and every gap stay.

`chart` is the Axes, `look` its colours, `frames` checks what comes in, `words` and `clock` put
numbers into sentences; `lines`, `lanes` and `shading` draw what several charts have.
"""

from __future__ import annotations

from eventlab.charts.bars import spread
from eventlab.charts.chart import describe
from eventlab.charts.delays import latency
from eventlab.charts.diagram import spacetime
from eventlab.charts.lags import lag
from eventlab.charts.leaders import leadership
from eventlab.charts.logs import anomalies
from eventlab.charts.order import ordering
from eventlab.charts.owners import assignment
from eventlab.charts.rates import throughput

__all__ = [
    "anomalies",
    "assignment",
    "describe",
    "lag",
    "latency",
    "leadership",
    "ordering",
    "spacetime",
    "spread",
    "throughput",
]
