"""A position that is held for months books to the cent, whatever the exchange has forgotten by then."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pynamodb.exceptions import PynamoDBException, QueryError

from functions.order_executor import booking, collecting
from local.paper_exchange import market_controls
from local.paper_exchange.orders import IncomeType
from shared.clock import utc_now
from shared.config import settings
from shared.errors import LeaseLost
from shared.exchange import lanes, weights
from shared.exchange.gate import Budget, Work
from shared.exchange.server_clock import server_clock
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.position_history import HistoryKind, PositionHistory
from shared.trading.execution import Desired, ExecutionState
from shared.trading.position_accounting import net_foreign_fills
from shared.trading.sides import Side
from shared.views.trade_rows import RowKind, rows_of_executions
from tests.unit.functions.order_executor.paper_account import PaperAccount, paper_account, weight_of

ROUNDING = Decimal("0.00001")
"""The exchange rounds each of a thousand payments to eight digits."""


@pytest.fixture
def paper(tables: object) -> Iterator[PaperAccount]:
    with paper_account() as made:
        yield made


def pay_funding(paper: PaperAccount, rate: str = "0.00003") -> None:
    body = {"rate": rate, "intervalHours": 8}
    market_controls.set_funding(paper.exchange.venue, "BTCUSDT", body, paper.exchange.now_ms())


def stop_out(paper: PaperAccount, execution: Execution) -> Execution:
    paper.move_price("19790")
    return paper.reconcile(execution)


def closed(execution: Execution) -> tuple[ExecutionState, Any]:
    return execution.state, execution.close_reason


def test_position_of_a_year_books_to_the_cent(paper: PaperAccount) -> None:
    before = paper.wallet
    execution = paper.executor.open()
    pay_funding(paper)
    execution = paper.hold(execution, days=96)
    paper.move_price("20200")  # the first take-profit fills, which was placed 96 days ago
    execution = paper.hold(execution, days=264)

    execution = stop_out(paper, execution)

    assert closed(execution) == (ExecutionState.CLOSED, "STOP")
    assert execution.profit is not None
    assert execution.funding is not None
    funding = sum(income.amount for income in paper.incomes(IncomeType.FUNDING_FEE))
    assert len(paper.incomes(IncomeType.FUNDING_FEE)) == 360 * 3
    assert abs(execution.funding - funding) < ROUNDING
    assert abs(execution.profit - (paper.wallet - before)) < ROUNDING
    stored = PositionHistory.read(execution.id)
    assert len(stored.fills) == len(paper.account.trades)
    assert len(stored.funding) == 360 * 3


def test_funding_of_a_long_position_is_shared_with_what_the_owner_held_beside_it(paper: PaperAccount) -> None:
    execution = paper.executor.open()
    pay_funding(paper)
    execution = paper.hold(execution, days=48)
    paper.trade_as_owner(Side.BUY, "0.250")
    execution = paper.hold(execution, days=48)
    paper.trade_as_owner(Side.SELL, "0.250")
    execution = paper.hold(execution, days=48)

    execution = stop_out(paper, execution)

    # 0.75 at 20000 pays 0.45 three times a day, whatever the owner holds.
    assert closed(execution) == (ExecutionState.CLOSED, "STOP")
    assert execution.funding == Decimal("-0.45") * 3 * 144
    assert execution.fee == Decimal("0.0004") * Decimal("0.75") * (20_000 + 19_790)


def trade_by_hand(paper: PaperAccount, times: int) -> None:
    """Let the owner buy and sell on the symbol, all within an hour."""
    for _ in range(times // 2):
        paper.trade_as_owner(Side.BUY, "0.100")
        paper.trade_as_owner(Side.SELL, "0.100")


def entries_by_kind(execution: Execution) -> Counter[str]:
    """Return how many entries of its history an execution has by how their keys begin, funding aside."""
    kinds = Counter(entry.entry_key.partition("#")[0] for entry in PositionHistory.query(execution.id))
    del kinds[HistoryKind.FUNDING.value]
    return kinds


def exported_fills(execution: Execution) -> list[str]:
    """Return the exchange's numbers of the fills in the tax file, in order."""
    rows = [row for _, row in rows_of_executions([execution], zone=ZoneInfo("UTC"))]
    return sorted((row["exchangeTradeId"] for row in rows if row["kind"] is RowKind.FILL), key=int)


def test_owner_who_trades_a_lot_by_hand_leaves_few_entries_to_read(paper: PaperAccount) -> None:
    execution = paper.executor.open()
    pay_funding(paper)
    for _ in range(6):
        paper.pass_days(1)
        trade_by_hand(paper, 60)
        execution = paper.reconcile(execution)
    paper.trade_as_owner(Side.BUY, "0.250")
    before = len(PositionHistory.read(execution.id).fills)

    execution = paper.hold(execution, days=12)

    assert before > 360
    assert len(PositionHistory.read(execution.id).fills) <= 1 + 6 + 1
    with paper.counted() as requests:
        execution = stop_out(paper, execution)
    assert requests["GET /fapi/v1/userTrades"] <= 2
    # What the owner has bought last is still theirs, and nothing else has changed ours.
    assert closed(execution) == (ExecutionState.CLOSED, "STOP")
    assert execution.funding == Decimal("-0.45") * 3 * 18
    assert execution.fee == Decimal("0.0004") * Decimal("0.75") * (20_000 + 19_790)
    assert execution.profit == Decimal("0.75") * -210 - execution.fee + execution.funding
    assert exported_fills(execution) == [str(trade.trade_id) for trade in paper.account.trades]


def test_fills_that_are_not_on_record_as_stored_are_not_netted(paper: PaperAccount) -> None:
    execution = paper.hold(paper.executor.open(), days=1, step=1)
    assert execution.fills_stored_until is not None
    trade_by_hand(paper, 120)
    paper.trade_as_owner(Side.BUY, "0.250")
    paper.pass_days(12)

    # The worker crashes before it records how far its rows reach: the exchange lists the fills once more.
    paper.executor.run(collecting.collect(paper.executor.run(paper.open_history(paper.executor.ledger(execution)))))
    assert len(PositionHistory.read(execution.id).fills) == len(paper.account.trades)
    paper.executor.advance(60)
    execution = paper.hold(paper.executor.now(execution), days=12)

    assert len(PositionHistory.read(execution.id).fills) < 5
    execution = stop_out(paper, execution)
    assert execution.profit == Decimal("0.75") * -210 - Decimal("0.0004") * Decimal("0.75") * (20_000 + 19_790)


def test_nets_that_a_crash_has_left_beside_their_fills_count_once(paper: PaperAccount) -> None:
    execution = paper.executor.open()
    paper.pass_days(1)
    trade_by_hand(paper, 20)
    paper.trade_as_owner(Side.BUY, "0.250")
    execution = paper.reconcile(execution)
    stored = PositionHistory.read(execution.id)
    [net] = net_foreign_fills(
        stored.fills, execution_id=execution.id, entry_side=Side.BUY, prefix=settings().broker_prefix, until=utc_now()
    )
    PositionHistory.of_net(execution.id, net).save()

    read = PositionHistory.read(execution.id)

    assert len(stored.fills) == 1 + 21
    assert len(read.fills) == 2
    assert read.netted == {net.numbers[-1]}
    assert read.fills[net.numbers[-1]].amount == Decimal("0.250")
    execution = stop_out(paper, execution)
    assert execution.fee == Decimal("0.0004") * Decimal("0.75") * (20_000 + 19_790)


@pytest.mark.parametrize(("copied", "deleted"), [(0, 0), (5, 0), (21, 5)])
def test_fills_that_a_crash_has_left_beside_their_net_are_moved_by_the_next_reconciliation(
    paper: PaperAccount, copied: int, deleted: int
) -> None:
    execution = paper.executor.open()
    paper.pass_days(1)
    trade_by_hand(paper, 20)
    paper.trade_as_owner(Side.BUY, "0.250")
    execution = paper.hold(paper.reconcile(execution), days=2, step=1)  # the exchange is not asked for them any more
    [net] = net_foreign_fills(
        PositionHistory.read(execution.id).fills,
        execution_id=execution.id,
        entry_side=Side.BUY,
        prefix=settings().broker_prefix,
        until=utc_now(),
    )
    PositionHistory.of_net(execution.id, net).save()
    rows = [row for row in PositionHistory.query(execution.id) if int(row.exchange_id) in net.numbers]
    fills = [row for row in rows if row.kind is HistoryKind.FILL]
    for number, row in enumerate(fills):
        key = row.entry_key
        if number < copied:
            row.entry_key = f"PART_OF_NET#{row.exchange_id}"
            row.save()
        if number < deleted:
            PositionHistory(execution.id, key).delete()

    execution = paper.hold(execution, days=1, step=1)

    assert entries_by_kind(execution) == {"FILL": 1, "NET": 1, "PART_OF_NET": 21}
    assert exported_fills(stop_out(paper, execution)) == [str(trade.trade_id) for trade in paper.account.trades]


def test_hour_of_more_fills_than_are_moved_at_once_is_moved_by_several_reconciliations(
    paper: PaperAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "_NETTED_AT_ONCE", 50)
    execution = paper.executor.open()
    paper.pass_days(1)
    trade_by_hand(paper, 120)
    execution = paper.reconcile(execution)
    moved = []
    for _ in range(14):
        execution = paper.hold(execution, days=1, step=1)
        moved.append(entries_by_kind(execution)["PART_OF_NET"])

    assert [after - before for before, after in itertools.pairwise(moved) if after != before] == [50, 50, 20]
    assert entries_by_kind(execution) == {"FILL": 1, "NET": 1, "PART_OF_NET": 120}
    assert exported_fills(stop_out(paper, execution)) == [str(trade.trade_id) for trade in paper.account.trades]


def test_fees_in_bnb_count_at_the_price_of_their_time(tables: object) -> None:
    with paper_account(balances={"BNB": "1"}, feeBurn=True) as paper:
        execution = paper.hold(paper.executor.open(), days=6)
        paper.move_price("900", "BNBUSDT")
        execution = paper.hold(execution, days=102)

        execution = stop_out(paper, execution)

        # A tenth cheaper in BNB: 0.02 BNB at 300 for the entry, 0.00597 at 900 for the exit.
        fees = [trade.fee for trade in paper.account.trades]
        assert {trade.fee_asset for trade in paper.account.trades} == {"BNB"}
        assert execution.fee == fees[0] * 300 + fees[1] * 900


def test_close_asks_for_no_more_after_months_than_after_days(paper: PaperAccount) -> None:
    weights = []
    for days in (6, 72):
        pay_funding(paper)
        execution = paper.hold(paper.executor.open(), days=days)
        with paper.counted() as requests:
            execution = stop_out(paper, execution)
        assert closed(execution) == (ExecutionState.CLOSED, "STOP")
        weights.append(weight_of(requests))
        paper.move_price("20000")
    assert weights[1] == weights[0] <= 60


def test_position_that_nobody_could_reconcile_for_weeks_is_read_week_by_week(paper: PaperAccount) -> None:
    before = paper.wallet
    execution = paper.executor.open()
    pay_funding(paper)
    paper.pass_days(20)
    paper.move_price("20200")
    paper.pass_days(20)

    execution = stop_out(paper, execution)

    assert closed(execution) == (ExecutionState.CLOSED, "STOP")
    assert execution.profit is not None
    assert abs(execution.profit - (paper.wallet - before)) < ROUNDING


def unread_for_weeks(paper: PaperAccount) -> Execution:
    """Return a position of ten weeks at which nobody has looked."""
    execution = paper.executor.open()
    pay_funding(paper)
    paper.pass_days(70)
    return execution


def test_close_reads_no_weeks_of_fills_and_its_booking_does(paper: PaperAccount) -> None:
    before, execution = paper.wallet, unread_for_weeks(paper)

    with paper.counted() as requests:
        execution = paper.executor.handle(execution, Command.CLOSE)

    assert not paper.account.held_positions()
    assert not paper.account.open_algos()
    assert requests["GET /fapi/v1/userTrades"] == requests["GET /fapi/v1/income"] == 0
    assert weight_of(requests) <= weights.CLOSE
    paper.executor.advance(60)
    due = booking.weight(execution, until=execution.exited_at)
    with paper.counted() as requests:
        execution = paper.reconcile(execution)
    assert closed(execution) == (ExecutionState.CLOSED, "ADMIN")
    assert due - weights.BOOKING < weight_of(requests) <= due
    assert execution.profit is not None
    assert abs(execution.profit - (paper.wallet - before)) < ROUNDING


@pytest.mark.parametrize(("side", "rest"), [(Side.BUY, "0.3"), (Side.SELL, "0")])
def test_close_leaves_what_the_owner_has_traded_while_nobody_looked(paper: PaperAccount, side: Side, rest: str) -> None:
    execution = unread_for_weeks(paper)
    paper.trade_as_owner(side, "0.3")

    paper.executor.handle(execution, Command.CLOSE)

    assert sum(held.amount for held in paper.account.held_positions()) == Decimal(rest)


def test_close_takes_what_a_take_profit_has_left_while_nobody_looked(paper: PaperAccount) -> None:
    execution = unread_for_weeks(paper)
    paper.move_price("20200")

    execution = paper.executor.handle(execution, Command.CLOSE)

    assert not paper.account.held_positions()
    assert closed(paper.reconcile(execution)) == (ExecutionState.CLOSED, "ADMIN")


def test_close_in_parts_after_weeks_takes_each_rest(paper: PaperAccount) -> None:
    execution = unread_for_weeks(paper)
    book = {"levels": [[1, "0.5"]], "refillMs": 1_000}
    market_controls.set_book(paper.exchange.venue, "BTCUSDT", book)

    with paper.counted() as requests:
        paper.executor.handle(execution, Command.CLOSE)

    assert not paper.account.held_positions()
    assert requests["POST /fapi/v1/order"] >= 2
    assert requests["GET /fapi/v1/userTrades"] == 0


def test_weeks_of_fills_wait_for_weight_and_a_close_that_needs_them_keeps_its_stop(paper: PaperAccount) -> None:
    execution = unread_for_weeks(paper)
    paper.trade_as_owner(Side.BUY, "0.3")
    cap = Budget(2_400, used=0).cap(Work.CLOSE)
    lanes.limiter_of(lanes.DEFAULT_LANE).record_usage(
        cap - weights.CLOSE - weights.FILLS, asked_at_ms=server_clock.now_ms()
    )

    execution = paper.executor.handle(execution, Command.CLOSE)

    assert (execution.state, execution.desired) == (ExecutionState.CLOSING, Desired.CLOSED)
    assert paper.account.held_positions()
    assert len(paper.account.open_algos()) == 1
    assert execution.due_at is not None
    paper.executor.advance((execution.due_at - utc_now()).total_seconds() + 1)
    paper.reconcile(execution)
    assert sum(held.amount for held in paper.account.held_positions()) == Decimal("0.3")


def test_quiet_position_is_collected_about_once_a_day_with_little_weight(paper: PaperAccount) -> None:
    execution = paper.reconcile(paper.executor.open())
    collected = 0
    for _ in range(4 * 24):
        paper.pass_days(1 / 24)
        with paper.counted() as requests:
            execution = paper.reconcile(execution)
        collected += requests["GET /fapi/v1/income"]
        assert weight_of(requests) <= 42
        assert requests["GET /fapi/v1/userTrades"] == requests["GET /fapi/v1/income"]
    assert 4 <= collected <= 8


def test_collection_that_fails_is_repeated_and_fails_nothing_else(paper: PaperAccount) -> None:
    execution = paper.executor.open()
    pay_funding(paper)
    paper.pass_days(2)
    paper.fail("/fapi/v1/income")
    execution = paper.reconcile(execution)
    assert execution.state is ExecutionState.PROTECTED
    assert not PositionHistory.read(execution.id).funding

    paper.reconcile(execution)

    assert len(PositionHistory.read(execution.id).funding) == 6


def test_stop_of_more_than_ninety_days_is_not_placed_again(paper: PaperAccount) -> None:
    paper.hold(paper.executor.open(), days=96)
    placed = [algo.client_algo_id for algo in paper.account.algos.values()]
    assert len(placed) == 1
    assert paper.account.open_algos()


def test_stop_of_more_than_ninety_days_is_recognised_by_what_it_became(paper: PaperAccount) -> None:
    execution = paper.hold(paper.executor.open(), days=96)
    paper.move_price("19790")
    # Nobody can look up the stop, and the order that it became need not carry its id.
    list(paper.account.orders.values())[-1].client_order_id = "autogenerated"

    execution = paper.reconcile(execution)

    assert closed(execution) == (ExecutionState.CLOSED, "STOP")


def test_close_by_the_owner_is_not_taken_for_a_stop_that_nobody_can_look_up(paper: PaperAccount) -> None:
    execution = paper.hold(paper.executor.open(), days=96)
    paper.trade_as_owner(Side.SELL, "0.750")

    execution = paper.reconcile(execution)

    assert closed(execution) == (ExecutionState.CLOSED, "MANUAL")


def test_two_workers_that_collect_at_once_store_the_same_rows(paper: PaperAccount) -> None:
    execution = paper.executor.open()
    pay_funding(paper)
    paper.pass_days(2)
    ledgers, histories = [], []
    for _ in range(2):
        ledgers.append(paper.executor.ledger(execution))
        histories.append(paper.executor.run(paper.open_history(ledgers[-1])))
        paper.executor.advance(11)  # the worker is frozen, and its lease ends
    reached = [paper.executor.run(collecting.collect(history)) for history in histories]

    with pytest.raises(LeaseLost):
        paper.executor.run(ledgers[0].advance(**reached[0]))

    assert len(list(PositionHistory.query(execution.id))) == len(paper.account.trades) + 6
    execution = stop_out(paper, execution)
    assert execution.funding == sum(income.amount for income in paper.incomes(IncomeType.FUNDING_FEE))


def test_close_needs_no_stored_history(paper: PaperAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    before = paper.wallet
    execution = paper.hold(paper.executor.open(), days=120)
    with monkeypatch.context() as broken:
        broken.setattr(PositionHistory, "read", unreachable)
        with pytest.raises(PynamoDBException):
            paper.executor.handle(execution, Command.CLOSE)
        assert not paper.account.held_positions()
        assert paper.executor.now(execution).active

    execution = paper.reconcile(execution)

    assert closed(execution) == (ExecutionState.CLOSED, "ADMIN")
    assert execution.profit is not None
    assert abs(execution.profit - (paper.wallet - before)) < ROUNDING


def test_young_position_is_read_from_the_exchange_when_its_stored_history_is_out_of_reach(
    paper: PaperAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = paper.hold(paper.executor.open(), days=1, step=1)
    assert execution.fills_stored_until is not None
    monkeypatch.setattr(PositionHistory, "read", unreachable)

    execution = stop_out(paper, execution)

    assert closed(execution) == (ExecutionState.CLOSED, "STOP")


def unreachable(*_: object) -> None:
    raise QueryError("the table cannot be reached")


def test_positions_of_one_alert_are_collected_at_times_of_their_own() -> None:
    opened_at = utc_now()
    executions = [Execution(str(uuid.uuid4()), created_at=opened_at) for _ in range(400)]
    due = [sum(collecting.is_due(one, opened_at + timedelta(hours=hours)) for one in executions) for hours in range(25)]
    assert (due[11], due[24]) == (0, 400)
    assert max(after - before for before, after in itertools.pairwise(due)) < 80
