//! Splicing attacks: a captured signature is also valid for other splits of the signed text into names and
//! values. None of them may replace a fact of the callback that Twilio sent.

use delivery_ledger::domain::message::status_reported::Label;
use delivery_ledger::domain::{NewEvent, Rule, Status};
use delivery_ledger::projection::fold::Folded;
use delivery_ledger::twilio::callback::ParsedCallback;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;

use super::folded;
use crate::support::events::{event, with_header, with_query};
use crate::support::{ACCOUNT, TOKEN, sid, signature};

const URL: &str = "https://hooks.example.com/message-status";

type Pairs = Vec<(String, String)>;

/// The visible facts of a message, and the events they come from.
#[derive(Debug, PartialEq)]
struct Shown {
    status: Option<Status>,
    terminal: bool,
    conflict: bool,
    from: Option<String>,
    to: Option<String>,
    channel: String,
    messaging_service_sid: Option<String>,
    error_code: Option<u32>,
    error_codes: Vec<u32>,
    raw_dlr_done_date: Option<String>,
    deciding: (String, Pairs),
}

fn shown(folded: &Folded) -> Shown {
    let evidence = &folded.lifecycle.evidence;
    let own = |text: Option<&str>| text.map(str::to_owned);
    let position = evidence.deciding.as_ref().unwrap().position;
    let deciding = folded.timeline.iter().find(|entry| entry.event.position == position).unwrap();
    let mut pairs = pairs_of(&deciding.event.body);
    pairs.sort();
    Shown {
        status: evidence.status(),
        terminal: evidence.is_terminal(),
        conflict: evidence.has_conflict(),
        from: own(evidence.from()),
        to: own(evidence.to()),
        channel: evidence.channel().to_owned(),
        messaging_service_sid: own(evidence.messaging_service_sid()),
        error_code: evidence.error_code().map(|code| code.number()),
        error_codes: evidence.error_codes().into_iter().map(|code| code.number()).collect(),
        raw_dlr_done_date: evidence.receipt.as_ref().map(|it| it.raw_dlr_done_date.to_string()),
        deciding: (deciding.event.query().to_owned(), pairs),
    }
}

fn genuine(status: &str, from: &str, to: &str, more: &[(&str, &str)]) -> Pairs {
    let sid = sid(1);
    let usual = [
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("From", from),
        ("MessageSid", &sid),
        ("MessageStatus", status),
        ("SmsSid", &sid),
        ("SmsStatus", status),
        ("To", to),
    ];
    let all = usual.iter().chain(more).map(|(name, value)| (name.to_string(), value.to_string()));
    let mut all: Pairs = all.collect();
    all.sort();
    all
}

fn escaped(text: &str, bytes: impl Fn(u8) -> bool) -> String {
    let escape = |byte: u8| match byte.is_ascii_alphanumeric() && !bytes(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// A form in the order given; it hides capitals behind escapes if asked to.
fn form(pairs: &Pairs, hidden: bool) -> Vec<u8> {
    let escaped = |text: &str| escaped(text, |byte| hidden && byte.is_ascii_uppercase());
    let pieces = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pieces.collect::<Vec<_>>().join("&").into_bytes()
}

fn pairs_of(body: &[u8]) -> Pairs {
    let form = delivery_ledger::twilio::form::Form::parse(body);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    form.pairs().map(|(name, value)| (text(name), text(value))).collect()
}

/// One step to another way of cutting.
#[derive(Debug, Clone)]
enum Step {
    /// A pair becomes part of the value before it.
    IntoValue(Index),
    /// A pair becomes part of the name before it.
    IntoName(Index),
    /// The border between name and value moves.
    Border(Index, Index),
    /// The end of a value becomes a name of its own.
    Split(Index, Index),
    /// The same pair again.
    Repeat(Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let step = prop_oneof![
        3 => index().prop_map(Step::IntoValue),
        1 => index().prop_map(Step::IntoName),
        1 => (index(), index()).prop_map(|(pair, at)| Step::Border(pair, at)),
        3 => (index(), index()).prop_map(|(pair, at)| Step::Split(pair, at)),
        1 => index().prop_map(Step::Repeat),
    ];
    proptest::collection::vec(step, 1..4)
}

fn cut(mut pairs: Pairs, steps: &[Step]) -> Pairs {
    for step in steps {
        let (pair, at) = match step {
            Step::IntoValue(pair) | Step::IntoName(pair) | Step::Repeat(pair) => (pair, None),
            Step::Border(pair, at) | Step::Split(pair, at) => (pair, Some(at)),
        };
        let pair = pair.index(pairs.len());
        let (name, value) = pairs[pair].clone();
        let whole = format!("{name}{value}");
        match step {
            Step::IntoValue(_) if pair > 0 => {
                pairs[pair - 1].1 += &whole;
                pairs.remove(pair);
            }
            Step::IntoName(_) if pair > 0 => {
                let before = format!("{}{}{name}", pairs[pair - 1].0, pairs[pair - 1].1);
                pairs[pair - 1] = (before, value);
                pairs.remove(pair);
            }
            Step::Border(..) => {
                let at = at.unwrap().index(whole.len() + 1);
                pairs[pair] = (whole[..at].to_owned(), whole[at..].to_owned());
            }
            Step::Split(..) => {
                let at = at.unwrap().index(value.len() + 1);
                value[..at].clone_into(&mut pairs[pair].1);
                pairs.insert(pair + 1, (value[at..].to_owned(), String::new()));
            }
            _ => pairs.insert(pair, (name, value)),
        }
    }
    pairs
}

fn any_genuine() -> impl Strategy<Value = Pairs> {
    let addresses = select(vec![
        ("+15017250604", "+15558675310"),
        ("whatsapp:+15017250604", "whatsapp:+15558675310"),
        ("whatsapp:IN.1234", "whatsapp:US.1234"),
        ("rcs:acme_agent", "+15558675310"),
        ("ACME", "+15558675310"),
        ("messenger:12345", "messenger:67890"),
    ]);
    let more = select(vec![
        vec![],
        vec![("MessagingServiceSid", "MG11111111111111111111111111111111")],
        vec![("RawDlrDoneDate", "2511160837")],
        vec![("ErrorCode", "30003"), ("RawDlrDoneDate", "2511160837")],
        vec![("ChannelPrefix", "rcs"), ("EventType", "DELIVERED")],
        vec![("ChannelPrefix", "whatsapp"), ("ErrorCode", "63016"), ("ErrorMessage", "No")],
    ]);
    let status = select(vec!["sent", "delivered", "undelivered", "failed", "read"]);
    (status, addresses, more)
        .prop_map(|(status, (from, to), more)| genuine(status, from, to, &more))
}

fn is_of_the_message(event: &NewEvent) -> bool {
    let reading = ParsedCallback::parse(event);
    reading.account_sid.as_deref() == Some(ACCOUNT)
        && reading.message_sid.as_deref() == Some(&sid(1))
}

/// Both orders end alike, as the genuine callback alone does.
fn check_nothing_replaced(genuine: &NewEvent, other: &NewEvent) -> Result<(), TestCaseError> {
    for rule in Rule::ALL {
        let alone = shown(&folded(rule, [genuine.clone()]));
        for order in [[genuine.clone(), other.clone()], [other.clone(), genuine.clone()]] {
            prop_assert_eq!(&shown(&folded(rule, order)), &alone);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config {
        cases: 1200,
        max_global_rejects: 200_000,
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn the_same_text_split_differently_replaces_no_fact(
        pairs in any_genuine(),
        steps in steps(),
        reversed in any::<bool>(),
        hidden in any::<bool>(),
    ) {
        let genuine = form(&pairs, false);
        let mut other = cut(pairs, &steps);
        if reversed {
            other.reverse();
        }
        let other = form(&other, hidden);
        let of = |body: &[u8]| signature(TOKEN, URL, body);
        prop_assume!(of(&other) == of(&genuine));
        let (genuine, other) = (event(genuine), event(other));
        if is_of_the_message(&other) {
            check_nothing_replaced(&genuine, &other)?;
        }
    }
}

#[test]
fn known_splicing_attacks_replace_no_fact_and_are_labelled() {
    let sid = sid(1);
    let whatsapp = genuine("delivered", "whatsapp:+15017250604", "whatsapp:+15558675310", &[]);
    let failed = genuine("failed", "+15017250604", "+15558675310", &[("ErrorCode", "30003")]);
    let pairs = |pairs: &[(&str, &str)]| -> Pairs {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    };
    let statuses = [("MessageStatus", "delivered"), ("SmsSid", &sid)];
    let taken_in = format!("whatsapp:+15017250604MessageSid{sid}");
    let swallowed = Label::SwallowedParameter;
    let cases = [
        // From and To are gone.
        (
            &whatsapp,
            [
                &[
                    ("AccountSid", ACCOUNT),
                    ("ApiVersion", "2010-04-01Fromwhatsapp:+15017250604"),
                    ("MessageSid", &sid),
                ][..],
                &statuses,
                &[("SmsStatus", "deliveredTowhatsapp:+15558675310")],
            ]
            .concat(),
            swallowed,
        ),
        // From has taken in the SID.
        (
            &whatsapp,
            [
                &[("AccountSid", ACCOUNT), ("ApiVersion", "2010-04-01"), ("From", &taken_in)][..],
                &statuses,
                &[("SmsStatus", "delivered"), ("To", "whatsapp:+15558675310")],
            ]
            .concat(),
            swallowed,
        ),
        // The code is gone, and no code goes before any.
        (
            &failed,
            vec![
                ("AccountSid", ACCOUNT),
                ("ApiVersion", "2010-04-01ErrorCode30003"),
                ("From", "+15017250604"),
                ("MessageSid", &sid),
                ("MessageStatus", "failed"),
                ("SmsSid", &sid),
                ("SmsStatus", "failed"),
                ("To", "+15558675310"),
            ],
            swallowed,
        ),
    ];
    for (genuine, other, label) in cases {
        let (genuine, other) = (form(genuine, false), form(&pairs(&other), false));
        let signed = signature(TOKEN, URL, &genuine);
        assert_eq!(signature(TOKEN, URL, &other), signed);
        let signed = |body| with_header(event(body), "x-twilio-signature", &signed);
        check_nothing_replaced(&signed(genuine.clone()), &signed(other.clone())).unwrap();
        let message = folded(Rule::default(), [signed(genuine), signed(other)]);
        let [of_genuine, of_other] = &labels(&message)[..] else { panic!("two events") };
        assert_eq!(of_genuine, &[Label::ReusedSignature]);
        assert!(of_other.contains(&label) && of_other.contains(&Label::ReusedSignature));
    }
}

#[test]
fn an_unknown_parameter_merged_into_a_value_replaces_no_fact() {
    let service = ("MessagingServiceSid", "MG11111111111111111111111111111111");
    let whatsapp = ("whatsapp:+15017250604", "whatsapp:+15558675310");
    let plain = ("+15017250604", "+15558675310");
    // Which value takes the parameters in that stand behind it.
    for ((from, to), known, taken_in, taker) in [
        (plain, vec![], vec![("Latitude", "12.5")], "From"),
        (whatsapp, vec![], vec![("Kilo", "1"), ("Latitude", "12.5")], "From"),
        (plain, vec![], vec![("Zone", "x"), ("Zone2", "")], "To"),
        (("ACME", "+15558675310"), vec![], vec![("Latitude", "12.5")], "From"),
        (plain, vec![service], vec![("Note", "1"), ("Other", "2")], "MessagingServiceSid"),
        (plain, vec![("ErrorCode", "30003")], vec![("Fa", "1"), ("Fb", "2")], "ErrorCode"),
        (plain, vec![("RawDlrDoneDate", "2511160837")], vec![("Seal", "1")], "RawDlrDoneDate"),
        (plain, vec![("ChannelPrefix", "rcs")], vec![("Cost", "1")], "ChannelPrefix"),
    ] {
        let whole = genuine("failed", from, to, &[&known[..], &taken_in[..]].concat());
        let mut other = genuine("failed", from, to, &known);
        let value = &mut other.iter_mut().find(|(name, _)| name == taker).unwrap().1;
        taken_in.iter().for_each(|(name, inside)| *value += &format!("{name}{inside}"));
        let (whole, other) = (form(&whole, false), form(&other, false));
        assert_eq!(signature(TOKEN, URL, &other), signature(TOKEN, URL, &whole), "{taker}");
        check_nothing_replaced(&event(whole), &event(other)).unwrap();
    }
}

#[test]
fn a_phantom_message_is_labelled() {
    let phantom = format!("{}MessageStatusdelivered", sid(1));
    let body = format!("AccountSid={ACCOUNT}&MessageSid={phantom}&SmsStatus=delivered&From=a&To=b");
    let reported = ParsedCallback::parse(&event(body)).reported.unwrap();
    assert_eq!(reported.labels, [Label::OddMessageSid, Label::SwallowedParameter]);
}

#[test]
fn a_repeated_pair_is_labelled_and_replaces_no_fact() {
    let pairs = genuine("delivered", "+15017250604", "+15558675310", &[]);
    for repeated in [0, 4, 7] {
        let mut other = pairs.clone();
        other.insert(0, pairs[repeated].clone());
        let (genuine, other) = (event(form(&pairs, false)), event(form(&other, false)));
        check_nothing_replaced(&genuine, &other).unwrap();
        let message = folded(Rule::default(), [genuine, other]);
        assert_eq!(labels(&message), [&[][..], &[Label::RepeatedParameter]]);
    }
    // Of a name that nobody knows, only an equal pair is odd.
    let label = |more: &str| {
        let body = [&form(&pairs, false)[..], more.as_bytes()].concat();
        labels(&folded(Rule::default(), [event(body)])).remove(0)
    };
    assert_eq!(label("&Tag=1&Tag=1"), [Label::RepeatedParameter]);
    assert_eq!(label("&=&="), [Label::RepeatedParameter]);
    assert_eq!(label("&Tag=1&Tag=2"), []);
}

#[test]
fn parameters_moved_into_the_query_are_labelled() {
    let body = format!("MessageSid={}&MessageStatus=failed&From=a&To=b", sid(1));
    let moved = with_query(event(body.clone()), "order=17ErrorCode30003");
    assert_eq!(ParsedCallback::parse(&moved).reported.unwrap().labels, [Label::SwallowedParameter]);
    for own in ["order=17", "SmsSid={sid}&orderId=1", "event=MessageStatus", "from=MessageSidX"] {
        let event = with_query(event(body.clone()), own);
        assert_eq!(ParsedCallback::parse(&event).reported.unwrap().labels, [], "{own}");
    }
}

#[test]
fn a_normal_callback_is_not_labelled_whatever_its_text() {
    for text in ["Go To Town", "MessageStatus: From me", "To%20%46rom", "AccountSid"] {
        let pairs = genuine("sent", "+15017250604", "+15558675310", &[("Body", text)]);
        let message = folded(Rule::default(), [event(form(&pairs, false))]);
        assert_eq!(labels(&message), [&[][..]], "{text}");
    }
}

fn labels(message: &Folded) -> Vec<Vec<Label>> {
    message.timeline.iter().map(|entry| entry.reported.labels.clone()).collect()
}
