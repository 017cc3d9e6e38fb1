//! Writes signed callbacks for wrk, one per line, so that the generator signs nothing during the
//! measurement: `presign COUNT URL ACCOUNT TOKEN SEED > FILE`.

#[path = "../simulated.rs"]
mod simulated;

use std::io::Write;

use delivery_ledger::simulate::Signer;
use delivery_ledger::twilio::accounts::Token;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, url, account, token, seed] = &arguments[..] else {
        panic!("presign COUNT URL ACCOUNT TOKEN SEED");
    };
    let count: u64 = count.parse().expect("COUNT is a number");
    let plan = simulated::plan(account, count, seed.parse().expect("SEED is a number"));
    let signer = Signer::new(url, Token::new(token));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for callback in plan.callbacks().take(count as usize) {
        let signature = signer.signature(&callback);
        writeln!(out, "{}\t{signature}\t{}", callback.idempotency_token, callback.body)?;
    }
    out.flush()
}
