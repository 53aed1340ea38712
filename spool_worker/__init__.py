"""The daemon that runs jobs from a spool."""
