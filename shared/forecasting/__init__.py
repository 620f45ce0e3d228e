"""The heart: calendar, history, features, model, intervals and scores. Pure: no Kafka, no MLflow, no clock."""
