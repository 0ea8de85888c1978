"""Turns one follower's execution into a protected position, or into the reason why there is none.

The only function that writes to an exchange. Decides nothing about who follows what.

app.py         the queue's records → one piece of work each
service.py     what a message means in the state the execution is in
admission.py   whether an entry may happen at all
entering.py    the entry: intent, request, and what to do when its outcome is unknown
protecting.py  the stop first, then the take-profits; closes what cannot be protected
closing.py     getting out: reduce-only, verified flat, leftovers cancelled
booking.py     what an ended position earned
trade.py       the work at hand: lease, records and account of one execution
"""
