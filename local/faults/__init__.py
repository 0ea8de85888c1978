"""What the product comes to when things go wrong on purpose: workers killed, alerts in a burst. Ships nowhere."""
