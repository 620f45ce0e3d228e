"""Clean readings in, forecasts out."""
