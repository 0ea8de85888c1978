"""What the product comes to when everything goes wrong on purpose: `make faults`. Ships nowhere.

worlds/  the road of an alert in one process, on a clock of its own, from seeds: executions by the thousand
stack/   the deployed stack on this machine, in real time: its workers killed, alerts in a burst
"""
