-- The registry of models has a database of its own beside the history; PostgreSQL runs this where it makes its files.
CREATE DATABASE registry;
