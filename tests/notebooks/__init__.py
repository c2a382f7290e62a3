"""Notebooks against a live cluster."""
