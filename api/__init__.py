"""HTTP, the live socket and who may see what. Reads come from the database, deals go to Kafka."""
