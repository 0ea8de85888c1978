"""Simulations of the product in one process, with everything that can go wrong.

The product's own code runs (acceptance, fan-out, executor, watcher) against the paper exchange and the embedded AWS's
tables, both in this process. Time is simulated, so waiting costs nothing. Everything depends on a seed alone, so a
failure can be repeated.

clock.py       simulated time, and an event loop that runs on it
tables.py      DynamoDB: the embedded AWS's engine with throttling, conflicts and lost answers
queues.py      SQS: messages late, twice, out of order
exchange.py    the paper exchange behind unreliable connections, and a record of naked positions
workers.py     invocations of Lambda functions, killed or frozen between any two steps
chances.py     the probability of each fault
trace.py       a digest of everything that happens
world.py       the parts of one world, and what its tables hold
people.py      the strategy and its followers, with their accounts
scenario.py    the events of a world: alerts, price moves, what admins and account owners do
owner.py       what an account's owner does on the exchange's own page
checks.py      compares the exchange's books with ours
simulation.py  runs the product in a world, from beginning to end
verdict.py     the result of a simulation
report.py      the table of many results
mutations.py   the product with one of its rules removed, which the checks must notice
"""
