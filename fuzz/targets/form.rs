//! Any bytes parse as a form whose signed text is no longer than the input.
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
