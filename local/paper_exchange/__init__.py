"""The paper exchange: one process that speaks Binance's protocol, for development and tests. Never deployed.

`python -m local.paper_exchange --port 3002 [--state FILE]` serves on 127.0.0.1 the USD-M futures paths (/fapi), the
spot paths of a key (/api/v3), key permissions (/sapi), and its own control interface (/paper). A ccxt client trades
on it with nothing changed but the hosts in `urls['api']`. With --state, everything is saved on SIGINT, SIGTERM and
`POST /paper/state`, and read back at the start.

How it trades
    A symbol has one last price, which moves only by `PUT /paper/prices/{SYMBOL}` (the mark price with it, unless
    `markPrice` is given). Market orders and limits that cross fill whole at the last price with 0.04 % fee, resting
    limits at their own price with 0.02 %. A price that jumps fills and triggers everything it crosses, nearest first;
    a triggered stop sells at the new price. An account below its maintenance margin is liquidated at
    the mark price (client ids `autoclose-…`); an isolated position is liquidated by itself, and loses no more than the
    margin that it took from the wallet when it was opened.
    `PUT /paper/books/{SYMBOL}` with `levels` (or `bids` and `asks`), each a pair of ticks from the last price and an
    amount, makes a futures book thin. Orders then eat the best levels first, and a market order ends EXPIRED where
    the book does. A level is full again `refillMs` after it was last eaten from, or when the price moves. An account's
    resting orders fill by the orders of other accounts. DELETE makes the book endless again.
    Spot and futures wallets are apart; `balances` of the control interface fill both, `spotBalances` only spot.
    The key's right to withdraw (`canWithdraw`, off at first) shows in apiRestrictions; `canWithdraw` of the account
    itself is always true, as it is for every ordinary account.

Choices where reports about Binance differ
    * A `closePosition` stop gets the time in force GTE_GTC and expires with the position; setting
      `expire_close_position_when_flat` to false leaves it standing, as reports of older accounts say.
    * Such a stop is accepted while flat; `refuse_close_position_when_flat` answers -4509 instead.
    * A reduce-only limit stays when the position goes, and expires when it is crossed with nothing to reduce;
      `expire_reduce_only_when_flat` ends it with the position.
    * Reducing orders may add up to more than the position; `refuse_overlapping_close` answers -4118 instead, and
      with `overlap_counts_conditional` it counts conditional reduce-only orders against a market close, too.
    * A history longer than its limit shows the newest rows of its span; a span covers seven days at most.
    * Histories reach back as the official SDK says (retention.py): fills, incomes and orders 90 days, orders that were
      cancelled without a fill three; what is older is left out without an error.
    * The regular order that an algo order becomes carries the algo order's client id.
    * The used weight in the headers of `bookTicker` and `v2/ticker/price` is far too high: the exchange's documentation
      only says that it is not accurate.
    * A reducing order larger than the position is cut to it (market), or ends EXPIRED after filling it (limit).

`POST /paper/settings` (`GET` shows them) sets any of
    the switches above;
    `refuse_late_past_recv_window`: a request delayed by the fault `late` is checked against its recvWindow again when
    it is carried out;
    `limits_enabled`, `weight_limit_per_minute`, `spot_weight_limit_per_minute`, `wallet_weight_limit_per_minute`,
    `order_limit_per_10s`, `order_limit_per_minute`: 429 above them; `ban_after_refusals`, `ban_s`: then 418, both with
    the right Retry-After; `weight_window_ms`: a window shorter than a minute for the weights;
    `liquidation_fee_bps`: the fee of a liquidation (125 at first, as the exchange takes), income INSURANCE_CLEAR;
    `refuse_orders_over_limit`: whether orders, which weigh nothing, are refused above the limit too (on at first);
    `clock_offset_ms`: how far the exchange's clock runs ahead.

A fault of kind `http` or `code` takes `doneAfterMs` as well: the request is then carried out that long after the
refusal was sent, as when a gateway gives up on an order that the exchange still accepts; `retryAfterS` is the
Retry-After of a 429 or 418, which has none without it.

`POST /paper/accounts/{apiKey}/keys {"apiKey", "secret"}` creates another key of an account, with permissions of its own
(the fields of an account's). Every account has an `accountAlias`, the same through each of its keys.
`PUT /paper/prices/{SYMBOL} {"markPrice"}` moves the mark price alone.

`PUT /paper/listing {"full": true}` (or `--full-listing` at the start) lists some 600 symbols as the exchange does:
dated contracts, TRADIFI_PERPETUAL (-4411 for accounts with `tradfiSigned` false), names that are not ASCII.
`PUT /paper/symbols/{SYMBOL}` changes `tickSize`, `stepSize`, `minNotional` or `status` (PRE_SETTLE refuses what opens,
every other status but TRADING refuses all orders); standing orders keep their old tick. `DELETE /paper/symbols` undoes
all changes. `POST /paper/settlements/{SYMBOL}` delists: orders expire, positions are closed at the mark price
(client ids `settlement_autoclose-…`). A dated contract is delivered in the same way when its time has come.

`PUT /paper/restrictions/{address}` has every request from that address answered with 451, until
`DELETE /paper/restrictions`. `PUT /paper/bans/{address} {"seconds": 120}` bans it (418) for so long, and
`GET /paper/limits` has the weight that each address has used in the present minute.

`PUT /paper/funding/{SYMBOL} {"rate", "intervalHours": 8}` has funding booked by the clock, at whole hours of the day;
`DELETE /paper/funding` ends it. `POST /paper/deleveraging/{apiKey} {"symbol"}` closes a position as automatic
deleveraging does (client id `adl_autoclose`).

Other controls beside the documented ones: `GET /paper/accounts`, `DELETE /paper/accounts/{apiKey}`,
`GET /paper/prices`, `GET /paper/faults`, `POST /paper/funding {"symbol", "rate", "special"}`, `DELETE /paper/limits`
(resets counts and bans), `POST /paper/state` (save now), `GET /paper/health`. `PUT /paper/accounts/{apiKey}` also takes
`permissions` or, beside them, `canRead`, `enableFutures`, `enableSpotAndMarginTrading`,
`enablePortfolioMarginTrading`, `ipRestrict`, and `positionMode` ("hedge" or "one-way"), `multiAssetsMargin`,
`feeBurn` (fees are paid in BNB, a tenth cheaper, while there is some), `leverage` (a number, or numbers by symbol),
`makerFee` and `takerFee` (rates).
"""
