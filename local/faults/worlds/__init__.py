"""Simulations of the product in one process, with everything that can go wrong.

The product's own code runs (acceptance, fan-out, executor, watcher) against the paper exchange and the embedded AWS's
tables, both in this process. Time is simulated, so waiting costs nothing. Everything depends on a seed alone, so a
failure can be repeated. Clock, tables, queues and exchange are those of `local.simulation`.

shape.py            the size and the kind of one world
world.py            the parts of one world, and what its tables hold
people.py           the draw of its followers, and of the exchange's settings
market.py           one symbol's price, book and filters
alert.py            one alert, and the answers to its deliveries
alerts.py           the source of alerts: late, in any order, more than once
scenario.py         the events of a world: bars, price moves, what admins and account owners do
our_orders.py       which orders at the exchange are ours, and of which leg
forced_closes.py    what the exchange closes by itself: delisted symbols, liquidated accounts
holding.py          positions held for weeks and months: the clock jumps
owner.py            what an account's owner does on the exchange's own page
checks/             compares the exchange's books with ours
simulation.py       runs the product in a world, from beginning to end
summary.py          a world's figures
verdict.py          the result of a simulation
report.py           the table of many results
mutations/          the product with one of its rules removed, which the checks must notice
"""
