"""Whether something has changed: detectors, and the episodes that their detections make up."""
