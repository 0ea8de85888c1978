"""The road of an alert in one process, with everything that can go wrong.

The product's own code runs (acceptance, fan-out, executor, watcher), against the paper exchange and the embedded AWS's
tables, both in this process. Time is simulated, so waiting costs nothing; what happens hangs on a seed alone, so that
what failed once fails again.

clock.py       simulated time, and the event loop that lives by it
tables.py      DynamoDB: the embedded AWS's engine, throttled, conflicting and slow
queues.py      SQS: late, twice, out of order
exchange.py    the paper exchange behind connections that break, and a watch on naked positions
workers.py     invocations of Lambda functions, killed and frozen between any two steps
chances.py     how often what goes wrong
trace.py       a digest of what happens
world.py       one world: its parts, and what its tables hold
people.py      whom it begins with: a strategy, followers, their accounts
course.py      what happens: alerts, the market's moves, what admins and owners do
owner.py       what an account's owner does on the exchange's page
checks.py      the exchange's books against ours
simulation.py  runs the product in a world, from beginning to end
verdict.py     what a simulation found
mutations.py   the product with one of its rules taken out: the harness must notice
"""
