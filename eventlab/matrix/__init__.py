"""The fault matrix: what becomes of acknowledged records when something breaks, row by row.

Each row breaks one thing while producers send and a group reads, mends it, and lets the history
checker judge what happened. Safe settings (acks=all, idempotence, min.insync.replicas=2) must
lose, double and reorder nothing; the demonstrations of loss must lose exactly what was scripted.
"""
