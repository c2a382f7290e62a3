"""What the processes of the shop have in common: `eventlab orders api | relay | subscribe | ...`.

`log` says what happens, for people or as JSON lines; `operations` answers /metrics and /health on
the loopback interface; `figures` are what a Prometheus server reads of a relay or a subscriber;
`sample` is what `publish`, `schedule` and `demo` let happen; `demo` is the whole shop at work.
"""
