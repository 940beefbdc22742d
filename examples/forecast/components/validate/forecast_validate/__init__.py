"""Refuse data that must not be trained on."""
