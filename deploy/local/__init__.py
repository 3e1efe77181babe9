"""A real Kafka and a real TimescaleDB on this machine, without Docker.

Standard library only: `make` runs it before the project's own environment exists.

    python3 -m deploy.local setup        bring everything in, once
    python3 -m deploy.local stack up     start the services and leave them running
    python3 -m deploy.local run -- CMD   run CMD beside the services, stop what was started
"""
