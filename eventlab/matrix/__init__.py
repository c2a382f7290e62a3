"""The fault matrix: what becomes of acknowledged records when something breaks, row by row.

Each row breaks one thing while producers send and a group reads, mends it, and lets the history
checker judge what happened. Safe settings (acks=all, idempotence, min.insync.replicas=2) must
lose, double and reorder nothing; the demonstrations of loss must lose exactly what was scripted.

`rows` has the rows by what is broken, `row` says what one is, `scene` is what it plays on, `play`
plays and counts. Clients that are killed or frozen are processes of their own: `child` is one from
outside; `subscriber` (with its SQL `store`), `publisher` and `copier` are what it runs, and
`journal` is how their deeds outlive them. `page` writes docs/fault-matrix.md.
"""
