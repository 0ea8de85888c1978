"""One DynamoDB table per file. The models are the repository: functions read and write through nothing else."""
