"""Modelyard: a self-hosted model registry for the unchanged MLflow and Databricks clients."""

__version__ = "0.1.0"
