"""The REST interface below `/api/v1`, and `/predict`."""
