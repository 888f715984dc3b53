"""`byline eval bench index`: what builds, small changes, removals and rollbacks take, and what readers notice."""
