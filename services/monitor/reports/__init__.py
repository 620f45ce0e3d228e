"""Reports on the last weeks of a stream against the training, made by Evidently in a process of their own."""
