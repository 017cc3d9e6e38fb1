//! The details of a message in words that the list and its page share: price and carrier.

use crate::wire::Message;

/// The no-break space between a number and its unit.
const NBSP: char = '\u{a0}';

/// The price with its currency, and with Twilio's sign: what is charged is negative.
pub fn price(message: &Message) -> Option<String> {
    let (price, currency) = (message.price.as_deref()?, message.currency.as_deref()?);
    Some(format!("{}{NBSP}{currency}", price.replacen('-', "\u{2212}", 1)))
}

/// The codes of the carrier.
pub fn carrier_codes(message: &Message) -> Option<String> {
    let (mcc, mnc) = (message.mcc.as_deref()?, message.mnc.as_deref()?);
    Some(format!("MCC{NBSP}{mcc}, MNC{NBSP}{mnc}"))
}

/// The name of the carrier, or its codes if it has none.
pub fn carrier(message: &Message) -> Option<String> {
    message.carrier.map(str::to_owned).or_else(|| carrier_codes(message))
}

/// A number of clicks: `1 click`, `2 clicks`.
pub fn clicks(number: u64) -> String {
    counted(number, "click")
}

/// A number of likely previews: `1 likely preview`.
pub fn previews(number: u64) -> String {
    counted(number, "likely preview")
}

fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number}{NBSP}{what}{ending}")
}
