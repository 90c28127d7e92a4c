SELECT max(sequence) FROM pending_events
