"""What the worker is measured against, in the same run."""
