"""Images made of what a machine has, where none can be pulled: the same Kafka in another image."""
