"""The parts of a simulation: the product's surroundings in one process, on simulated time.

They replace AWS, the exchange's address and the wall clock. Knows no scenario and checks nothing.

surroundings.py     the parts together
product.py          the product's functions, connected to them
conditions.py       how long the parts take to answer, and how many containers there are
people.py           strategies and their followers, with keys and accounts
clock.py            simulated time, and an event loop that runs on it
tables.py           DynamoDB: the embedded AWS's engine with throttling, conflicts and lost answers
queues.py           SQS: messages late, twice, out of order
exchange.py         the paper exchange, whose lists lag
request_faults.py   which requests to it fail, and how
connections.py      the connections to it: slow, refused, cut
refusals.py         a record of refused orders
naked.py            a record of positions without a stop
workers.py          invocations of Lambda functions, killed or frozen between any two steps
containers.py       the executor's containers, each with caches of its own
chances.py          the probability of each fault
trace.py            a digest of everything that happens
"""
