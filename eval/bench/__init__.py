"""`byline eval bench`: how fast Byline is on this machine, beside the least that the same work can cost here."""
