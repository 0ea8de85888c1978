"""ReportSender: sends each user a report on their trades, once a week and once a month."""
