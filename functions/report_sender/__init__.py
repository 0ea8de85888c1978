"""ReportSender: tells each user once a week and once a month what their trades came to."""
