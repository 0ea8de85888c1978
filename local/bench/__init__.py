"""`make bench`: how close an alert's fan-out comes to the wire, beside a floor and a peer, in one run. Not a test."""
