"""The deployed stack on this machine, in real time, under faults.

kills.py      kills the stack's Lambda workers during alerts, and compares the end with an undisturbed run
burst.py      fires alerts at fifty strategies as fast as the webhook answers, and checks the end of each
runs.py       plays the same alerts to strategies and measures their runs
firing.py     sends alerts as TradingView does
workers.py    finds and kills the workers of one stack
records.py    reads the stack's tables and queues from outside
end_state.py  a follower's end state, and its times without a stop
table.py      prints figures in columns
"""
