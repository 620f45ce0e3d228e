"""The live stream: what stands on the topics, as server-sent events."""
