"""Raw readings in, clean readings or dead letters out."""
