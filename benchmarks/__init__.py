"""Measurements of Modelyard, each a command: see README.md beside this file."""
