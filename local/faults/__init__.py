"""Fault injection: `make faults`. Not deployed.

worlds/  simulations of the product in one process, on a clock of their own, from seeds: executions by the thousand
stack/   the deployed stack on this machine, in real time: its workers killed, alerts in a burst
"""
