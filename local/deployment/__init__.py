"""Commands that an operator runs against an AWS account: checks before a deployment, and the deployment."""
