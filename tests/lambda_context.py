"""Lambda's context, as tests hand it to a function's handler."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FakeContext:
    """What Lambda tells a handler about an invocation."""

    function_name: str = "function-under-test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function-under-test"
    aws_request_id: str = "7f3b8f3a-5d0b-4a4e-9b27-2f2f6c8c1d11"
    remaining_ms: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that the invocation has left."""
        return self.remaining_ms
