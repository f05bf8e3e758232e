"""Searching for a good recipe, judged on validation alone. No stage imports it."""
