"""The deployed stack on this machine, in real time, under faults.

kills.py      alerts while the stack's Lambda workers are killed, again and again, beside a strategy left in peace
burst.py      alerts over fifty strategies, as many a second as it takes, and whether each has its end
ground.py     strategies on their way through the same alerts
firing.py     alerts sent as TradingView sends them
workers.py    the workers of one stack, found and killed
records.py    the stack's tables and queues, read from outside
end_state.py  what a follower has come to, and how long it was without a stop
table.py      figures in columns
"""
