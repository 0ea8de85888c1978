from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.execution import CloseReason
from shared.trading.funding import FundingPayment, Income
from shared.trading.ids import ENTRY_LEGS, Leg, client_order_id
from shared.trading.position_accounting import Booking, Fill, book_position, net_foreign_fills
from shared.trading.sides import Side

from .markets import D

PREFIX = "x-cvBPrNm9"
EXECUTION = "c21d890e-87b6-524d-b010-929612e17011"
ANOTHER = "5101d1c2-b0ee-5741-9c84-9002402bfbf5"
START = datetime(2022, 10, 21, 14, 13, 42, tzinfo=UTC)


def fill(
    leg: Leg | str,
    side: Side,
    amount: str,
    price: str,
    *,
    at_s: float = 0,
    fee: str = "0",
    fee_asset: str = "USDT",
    pnl: str = "0",
    execution_id: str = EXECUTION,
) -> Fill:
    own = client_order_id(PREFIX, execution_id, leg, 0) if isinstance(leg, Leg) else leg
    return Fill(
        order_id=f"order of {own}",
        client_order_id=own,
        side=side,
        price=D(price),
        amount=D(amount),
        fee=D(fee),
        fee_asset=fee_asset,
        fee_price={"USDT": D(1), "BNB": D("312.5")}.get(fee_asset),
        realized_pnl=D(pnl),
        at=START + timedelta(seconds=at_s),
    )


def book(
    *fills: Fill,
    entry_side: Side = Side.BUY,
    close_leg_reason: CloseReason = CloseReason.ADMIN,
    payments: Sequence[FundingPayment] = (),
    liquidation_fees: Sequence[Income] = (),
) -> Booking:
    booking = book_position(
        execution_id=EXECUTION,
        entry_side=entry_side,
        fills=fills,
        prefix=PREFIX,
        close_leg_reason=close_leg_reason,
        payments=payments,
        liquidation_fees=liquidation_fees,
    )
    assert booking is not None
    return booking


def test_documented_trade_is_booked_with_its_averages_and_fees() -> None:
    # The documentation's earlier trade: 2.106 BTC from 19,351.8 to the stop at 19,149.16657, fees of 0.04 %.
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "2.106", "19351.8", fee="16.30195632"),
        fill(Leg.STOP, Side.SELL, "2.106", "19149.16657", at_s=60, fee="16.13125792"),
    )
    assert (booking.entry_price, booking.exit_price) == (D("19351.8"), D("19149.16657"))
    assert booking.gross_profit == D("-426.74600358")
    assert booking.fee == D("32.43321424")
    assert booking.net_profit == D("-459.17921782")
    assert round(booking.profit_pct, 6) == D("-1.126685")
    assert booking.close_reason is CloseReason.STOP
    assert (booking.opened_at, booking.closed_at) == (START, START + timedelta(seconds=60))


def test_remainder_of_the_entry_belongs_to_the_position() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100"),
        fill(Leg.ENTRY_REMAINDER, Side.BUY, "3", "104", at_s=1),
        fill(Leg.STOP, Side.SELL, "4", "90", at_s=9),
    )
    assert (booking.entered_amount, booking.entry_price, booking.open_amount) == (D(4), D(103), D(0))
    assert booking.gross_profit == D(-52)
    assert booking.close_reason is CloseReason.STOP


def test_prices_are_averaged_over_the_fills_by_amount() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.SELL, "1", "100"),
        fill(Leg.ENTRY, Side.SELL, "3", "104"),
        fill(Leg.TAKE_PROFIT_1, Side.BUY, "2", "90", at_s=5),
        fill(Leg.TAKE_PROFIT_2, Side.BUY, "2", "80", at_s=9),
        entry_side=Side.SELL,
    )
    assert (booking.entry_price, booking.exit_price) == (D(103), D(85))
    assert booking.gross_profit == booking.net_profit == D(72)
    assert booking.profit_pct == D(72) * 100 / D(412)


def test_position_partly_closed_is_open_and_its_profit_is_that_of_the_closed_part() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "3", "100", fee="0.3"),
        fill(Leg.TAKE_PROFIT_1, Side.SELL, "1", "110", at_s=5, fee="0.1", pnl="10"),
    )
    assert (booking.exited_amount, booking.open_amount) == (D(1), D(2))
    assert (booking.gross_profit, booking.net_profit, booking.reported_pnl) == (D(10), D("9.6"), D(10))
    assert (booking.close_reason, booking.closed_at) == (None, None)


def test_open_position_has_no_exit_price() -> None:
    booking = book(fill(Leg.ENTRY, Side.BUY, "3", "100", fee="0.3"))
    assert (booking.exit_price, booking.gross_profit, booking.net_profit) == (None, D(0), D("-0.3"))


def test_without_an_entry_there_is_no_booking() -> None:
    fills = [fill(Leg.ENTRY, Side.BUY, "1", "100", execution_id=ANOTHER), fill("web_1", Side.BUY, "1", "100")]
    assert book_position(execution_id=EXECUTION, entry_side=Side.BUY, fills=fills, prefix=PREFIX) is None


@pytest.mark.parametrize(
    ("leg", "reason"),
    [
        (Leg.STOP, CloseReason.STOP),
        (Leg.STOP_BACKSTOP, CloseReason.STOP),
        (Leg.TAKE_PROFIT_4, CloseReason.TAKE_PROFIT),
        (Leg.TRAILING, CloseReason.TRAILING),
        (Leg.CLOSE, CloseReason.OPPOSITE),
        (Leg.FLATTEN, CloseReason.FLATTENED),
        ("web_9q3mPUkbz0hG", CloseReason.MANUAL),
        ("", CloseReason.MANUAL),
        ("autoclose-1666375929485", CloseReason.LIQUIDATION),
        ("adl_autoclose", CloseReason.AUTO_DELEVERAGED),
        ("settlement_autoclose-1666375929485", CloseReason.DELISTED),
    ],
)
def test_order_that_closed_the_last_part_gives_the_reason(leg: Leg | str, reason: CloseReason) -> None:
    booking = book(
        # In any order: the exchange lists by order, not by time.
        fill(leg, Side.SELL, "1", "95", at_s=9),
        fill(Leg.TAKE_PROFIT_1, Side.SELL, "1", "110", at_s=5),
        fill(Leg.ENTRY, Side.BUY, "2", "100"),
        close_leg_reason=CloseReason.OPPOSITE,
    )
    assert booking.close_reason is reason
    assert booking.gross_profit == D(5)


def test_fills_of_other_executions_and_from_before_the_entry_are_left_out() -> None:
    booking = book(
        fill("web_1", Side.SELL, "1", "500", at_s=-5),
        fill(Leg.ENTRY, Side.BUY, "1", "100"),
        fill(Leg.ENTRY, Side.SELL, "1", "300", at_s=3, execution_id=ANOTHER),
        fill(Leg.STOP, Side.SELL, "1", "90", at_s=4),
    )
    assert (booking.exit_price, booking.close_reason) == (D(90), CloseReason.STOP)


def test_manual_close_of_more_than_ours_is_booked_up_to_our_amount_with_its_share_of_the_fee() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100"),
        fill("web_1", Side.SELL, "4", "90", at_s=5, fee="0.8", pnl="-40"),
        fill("web_2", Side.SELL, "4", "80", at_s=6, fee="0.8"),
    )
    assert (booking.exited_amount, booking.exit_price) == (D(1), D(90))
    assert (booking.fee, booking.reported_pnl, booking.net_profit) == (D("0.2"), D(-10), D("-10.2"))


def test_averages_with_endless_decimals_fit_into_a_table() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100"),
        fill(Leg.ENTRY, Side.BUY, "2", "101"),
        fill(Leg.STOP, Side.SELL, "3", "99", at_s=1),
    )
    numbers: list[Decimal | None] = [booking.entry_price, booking.exit_price, booking.profit_pct]
    assert all(number is not None and len(number.as_tuple().digits) <= 38 for number in numbers)
    assert booking.gross_profit == D(-5)


def test_fee_in_another_asset_counts_at_its_price() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100", fee="0.0016", fee_asset="BNB"),
        fill(Leg.STOP, Side.SELL, "1", "99", at_s=5, fee="0.05"),
    )
    assert (booking.fee, booking.net_profit) == (D("0.55"), D("-1.55"))


def test_fee_in_an_asset_without_a_price_counts_nothing() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100", fee="7", fee_asset="XYZ"), fill(Leg.STOP, Side.SELL, "1", "99", at_s=5)
    )
    assert (booking.fee, booking.net_profit) == (D(0), D(-1))


def test_owners_sale_reduces_their_own_amount_first() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "3", "100"),
        fill("web_1", Side.BUY, "1", "100", at_s=2),
        fill("web_2", Side.SELL, "2", "110", at_s=4),
    )
    assert (booking.exited_amount, booking.open_amount, booking.gross_profit) == (D(1), D(2), D(10))


def test_stop_of_the_whole_position_also_closes_the_owners_amount() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "3", "100"),
        fill("web_1", Side.BUY, "1", "100", at_s=2),
        fill(Leg.STOP, Side.SELL, "4", "90", at_s=4, fee="4"),
    )
    assert (booking.open_amount, booking.gross_profit, booking.fee) == (D(0), D(-30), D(3))


def test_owners_opposite_position_and_its_close_are_not_ours() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100"),
        fill("web_1", Side.SELL, "3", "110", at_s=2),
        fill("web_2", Side.BUY, "2", "50", at_s=4),
    )
    assert (booking.entered_amount, booking.gross_profit, booking.close_reason) == (D(1), D(10), CloseReason.MANUAL)


def test_funding_is_part_of_the_profit() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "100", fee="1"),
        fill(Leg.STOP, Side.SELL, "1", "99", at_s=7200),
        payments=[FundingPayment(D("-0.25"), datetime(2022, 10, 21, 15, tzinfo=UTC))],
    )
    assert (booking.funding, booking.net_profit, booking.profit_pct) == (D("-0.25"), D("-2.25"), D("-2.25"))
    assert booking.gross_profit == D(-1)


def test_fee_of_a_liquidation_is_shared_by_what_it_closed_of_ours() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "0.75", "20000", fee="6"),
        fill("web_1", Side.BUY, "0.25", "20000", at_s=1),
        fill("autoclose-1666361622", Side.SELL, "1", "18000", at_s=2, fee="8"),
        liquidation_fees=[Income(D("-200"), START + timedelta(seconds=2)), Income(D("-24"), START)],
    )
    # What the owner holds is closed first; ours are 0.75 of the liquidation's 1 BTC.
    assert booking.close_reason is CloseReason.LIQUIDATION
    assert booking.fee == 6 + D("0.75") * 8 + D("0.75") * 224
    assert booking.net_profit == D("0.75") * -2000 - booking.fee


def test_fee_without_a_price_counts_nothing() -> None:
    booking = book(
        fill(Leg.ENTRY, Side.BUY, "1", "20000", fee="0.01", fee_asset="ETC"),
        fill(Leg.STOP, Side.SELL, "1", "19000", at_s=1, fee="8"),
    )
    assert booking.fee == 8


# -- the owner's fills, netted -----------------------------------------------------------------------------------------

FLAT_ENTRY = fill(Leg.ENTRY, Side.BUY, "1", "20000", fee="8")
traded = st.tuples(
    st.sampled_from([*Leg, "", "by hand", "autoclose-1", ANOTHER]),
    st.sampled_from(list(Side)),
    st.integers(1, 12),
    st.integers(0, 5 * 3600),
)


def netted(fills: dict[int, Fill], *, until: datetime, of: Side = Side.BUY) -> dict[int, Fill]:
    """Return the fills with nets in the place of those that have one, as the table is read."""
    left = dict(fills)
    nets = net_foreign_fills(left, execution_id=EXECUTION, entry_side=of, prefix=PREFIX, until=until)
    for net in nets:
        assert len(net.numbers) > 1
        for number in net.numbers:
            del left[number]
        left[net.numbers[-1]] = net.fill
    return dict(sorted(left.items()))


@given(trades=st.lists(traded, max_size=60), hours=st.integers(0, 8), rates=st.lists(st.integers(-5, 5), max_size=6))
def test_nets_book_as_the_fills_that_they_stand_for(
    trades: list[tuple[Leg | str, Side, int, int]], hours: int, rates: list[int]
) -> None:
    made = [FLAT_ENTRY]
    for name, owners_side, amount, at_s in sorted(trades, key=lambda one: one[3]):
        leg, execution_id = (Leg.ENTRY, ANOTHER) if name == ANOTHER else (name, EXECUTION)
        our_side = Side.BUY if leg in ENTRY_LEGS else Side.SELL
        side = our_side if isinstance(leg, Leg) else owners_side
        price, of = str(20_000 + at_s % 97), f"{amount / 10}"
        made.append(fill(leg, side, of, price, at_s=at_s + 1, fee="1", pnl="3", execution_id=execution_id))
    fills = dict(enumerate(made))
    hour = START.replace(minute=0, second=0)
    payments = [
        FundingPayment(D(rate), hour + timedelta(hours=number, seconds=3)) for number, rate in enumerate(rates, start=1)
    ]

    nets = netted(fills, until=hour + timedelta(hours=hours))

    assert book(*nets.values(), payments=payments) == book(*fills.values(), payments=payments)


def test_nets_are_one_for_each_hour_and_leave_what_is_newer() -> None:
    hour = START.replace(minute=0, second=0)
    by_hand = [fill("", side, "0.1", "20100", at_s=s) for s in range(1, 7200, 9) for side in (Side.BUY, Side.SELL)]
    fills = dict(enumerate([FLAT_ENTRY, *by_hand]))
    until = hour + timedelta(hours=2)
    netted_last = [max(n for n, one in fills.items() if one.at <= hour + timedelta(hours=hours)) for hours in (1, 2)]

    nets = netted(fills, until=until)

    assert list(nets) == [0, *netted_last, *(number for number, one in fills.items() if one.at > until)]
    assert [nets[number].amount for number in netted_last] == [0, 0]


def test_net_of_an_hour_is_the_same_when_a_later_one_follows_and_when_it_is_a_net_already() -> None:
    fills = dict(enumerate([FLAT_ENTRY, *(fill("", Side.BUY, "0.1", "20100", at_s=600 * n) for n in range(1, 20))]))
    hour = START.replace(minute=0, second=0)
    first, later = (netted(fills, until=hour + timedelta(hours=hours)) for hours in (2, 3))
    new = later.items() - first.items()
    assert len(first) < len(fills)
    assert netted(first, until=hour + timedelta(hours=2)) == first
    assert all(one.at > hour + timedelta(hours=2) for _, one in new)
