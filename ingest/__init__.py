"""Where vendor formats stop: what comes in as rows or webhooks goes out as DealChanged."""
