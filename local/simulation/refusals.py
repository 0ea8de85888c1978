"""A record of the orders that the exchange has refused, without what differs between repeats of one order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

from local.paper_exchange.server import Answer, Request

_IDS = frozenset({"newClientOrderId", "clientAlgoId"})
_DIFFERS = _IDS | {"timestamp", "signature", "recvWindow"}
_PATHS = frozenset({"/fapi/v1/order", "/fapi/v1/algoOrder"})
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class RefusedOrder:
    """An order that was refused, and the exchange's code."""

    api_key: str
    client_order_id: str
    content: frozenset[tuple[str, str]]
    code: int
    at_ms: int


def refused_order(request: Request, answer: Answer, *, at_ms: int) -> RefusedOrder | None:
    """Return the order that an answer refuses; None for other requests and answers."""
    if request.method != "POST" or request.path not in _PATHS or answer.status != _BAD_REQUEST:
        return None
    sent = parse_qsl(request.body) + parse_qsl(request.query)
    content = frozenset(pair for pair in sent if pair[0] not in _DIFFERS)
    client_order_id = next((value for name, value in sent if name in _IDS), "")
    return RefusedOrder(request.api_key or "", client_order_id, content, json.loads(answer.body)["code"], at_ms)
