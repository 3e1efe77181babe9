"""How Paceboard is put on a machine: the local stack, Docker, Kubernetes, dashboards."""
