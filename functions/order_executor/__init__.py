"""Turns one follower's execution into a protected position, or into the reason why there is none.

The only function that writes to an exchange. `shared.admission` says whether an entry may happen. In the order of the
road:

app.py             the queue's records, one execution each
service.py         one message: takes the lease, tells queued from begun work, gives the lease back
lease.py           the right to write to an account and symbol; no write outlives it
ledger.py          our records of one execution: its state, its orders, its slot
account_cache.py   the exchange accounts that this container has opened
session.py         one execution at work: ledger, account, filters

opening.py         queued work: first the prior position, then the entry, or a reason for none
exit_alerts.py     records what an exit asks for, and acts on it
loss_limits.py     a follower's limit of losses: denies entries, sets its position to be closed
prior_position.py  closes what an older trigger holds on the other side
entering.py        writes the intent, sends the entry
entry_intents.py   an entry as planned and recorded, its timestamp, its dead-man message
resizing.py        sizes an entry anew: refused by other filters or brackets, or unfilled
retrying.py        tries an entry again that the exchange certainly did not take
entry_outcome.py   whether the entry filled, was refused, or never arrived
protecting.py      the stop first, then the targets
stop_placement.py  sends a stop until it stands
exit_plans.py      which exits a position should have: stops by their records
remainder.py       what the entry left unfilled, sent once more after the stop
targets.py         take-profits and trailing stop, within what is left
refitting.py       what to send instead of an exit that changed filters refuse

reconciling.py     begun work: from its present state to the right one
open_position.py   repairs the orders of an open position
reducing.py        closes a part, down to what exit alerts ask for
making_room.py     shrinks the orders that would overlap such a part, and restores them
watching.py        the prices at which something may happen to a position, for the watcher
stops.py           which of its stops are missing or deviate; replaces them
moving.py          moves the stop to break-even after a target has filled
updating.py        what an update alert asks of the exits, on record
retargeting.py     plans the take-profits anew that an update asks for
position.py        what is left of ours, by the exchange's fills
ending.py          books a position that is flat, once the fills show its end
leaving.py         closes a position and ends it, or leaves it guarded
closing.py         closes what is ours, reduce-only, verified by the fills
close_refusals.py  what is refused of a close, and how much may be sent instead
booking.py         ends an execution, and books what its position earned

recheck.py         what must be reconciled before the watcher's next run
waiting.py         work that waits for its lane
handing_over.py    work that another lane can take, because this one is banned
secret_failures.py work whose key's secret cannot be opened
venue_orders.py    standing orders: whose they are; cancels them
fills.py           the exchange's fills, each with the client id of its order
collecting.py      stores fills and funding as they are seen
unlisted.py        fills that an order confirms and the exchange does not list yet
key_health.py      records what an entry's read says about its key
"""
