"""Turns one follower's execution into a protected position, or into the reason why there is none.

The only function that writes to an exchange. Decides nothing about who follows what.

app.py         the queue's records → one piece of work each
service.py     one message: the lease taken, the work done, the lease given back
opening.py     the two halves of a trigger: make room, then enter
admission.py   whether an entry may happen at all
entering.py    the entry: intent, request, and what to do when its outcome is unknown
protecting.py  the stop first, and what becomes of a position that cannot have one
targets.py     take-profits and trailing stop, within what is left
settling.py    from where an execution stands to where it should be, whoever began it
watching.py    a look at an open position: its amount, its stops, its targets
closing.py     getting out: reduce-only, what is ours and no more
waiting.py     what waits for its lane to have weight again
due.py         when an execution is looked at next
booking.py     what an ended position earned
fills.py       the exchange's fills, each under the client id of its order
venue_orders.py  whose a standing order is, and how it is cancelled
lease.py       the right to write, and the rule that no write outlives it
session.py       the work at hand: records and account of one execution
accounts.py    the exchange accounts that this worker has opened
"""
