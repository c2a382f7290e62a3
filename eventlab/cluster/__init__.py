"""A live Kafka cluster on this machine: real brokers, each a JVM of its own.

`cluster` and `broker` are what a learner holds. Below them: `settings` (what may be asked for),
`java`, `jars` and `prepare` (what a start needs), `nodes` and `properties` (what one node is),
`supervisor` (the process that owns the JVMs), `control` and `registry` (how a kernel finds it).
"""
