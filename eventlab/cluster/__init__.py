"""A live Kafka cluster: real brokers, each a JVM of its own or in a container, or those of others.

`cluster` and `broker` are what a learner holds. Below them: `settings` (what may be asked for),
`java`, `jars` and `prepare` (what a start needs), `nodes` and `properties` (what one node is),
`supervisor` (the process that owns the nodes), `control` and `registry` (how a kernel finds it).
`contained`, `composed` and `engine` start nodes in containers, `backends` says what can be done
where. For a cluster that somebody else runs: `external`, `security`, and `diagnosis` of what is
wrong with it.
"""
