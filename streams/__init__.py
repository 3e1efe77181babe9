"""The processors: deals (credit, evaluate, book), standings, alerts, and the jobs that run once."""
