"""The HTTP application: who may come in, what an error looks like, what a browser is told."""
