"""Measures what the lanes of a deployment carry: the product on simulated time, with the exchange's limits and bans.

One container per lane; the exchange answers in 50 ms, tables and queues in 10 ms. Injects no fault.

cases.py      which scenarios are measured, and with how many followers
alerts.py     scenarios that begin with alerts
exits.py      scenarios that begin with an order to close
quiet.py      open positions in a market that stands still
fairness.py   more followers than one alert reaches
steps.py      the weight of each step of one follower
ground.py     the simulation with its followers, and what is done on it
books.py      a deep book and a thin one
exchange.py   the paper exchange that keeps weights and positions
purposes.py   for which purpose a request is sent
measuring.py  what is measured from a moment on
figures.py    the figures of a scenario, and the worst of several runs
report.py     the tables
"""
