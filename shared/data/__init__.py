"""The year of readings: sites, file reader, download and the synthetic year."""
