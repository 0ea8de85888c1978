"""ReportUnsubscribe: lets the reader of a report's letter end these letters without signing in."""
