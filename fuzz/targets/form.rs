//! Any bytes are a form, and what is signed of it is no longer than they are.
#![no_main]

use delivery_ledger::twilio::form::Form;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let form = Form::parse(body);
    assert!(form.signed_text().len() <= body.len());
    for name in ["MessageSid", "AccountSid", ""] {
        assert!(form.values(name).map(<[u8]>::len).sum::<usize>() <= body.len());
    }
});
